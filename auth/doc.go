// Package auth knows who asks, and what they may do. Every request has one Principal; whoever answers it asks May, and
// nothing else. The rules are a table that people can read. People, sessions and tokens are kept behind interfaces.
package auth
