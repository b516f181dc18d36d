// Package browser holds the tests that look at the pages in Chromium, and the tab that they share.
package browser
