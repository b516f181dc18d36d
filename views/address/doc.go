// Package address has the address of every page: for each the type of what it says, the function that reads it and the
// method that writes it. Nothing else knows a page's path but the table of routes. People bookmark addresses: they
// never change, and each page has one only, which String gives.
package address
