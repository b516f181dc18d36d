// Package e2e holds the tests of the built program as programs meet it: its command line, curl, container clients and
// registries that misbehave.
package e2e
