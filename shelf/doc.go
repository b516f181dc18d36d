// Package shelf declares what is on the shelf, and what comes to it and goes from it: plain structs that the storage
// fills, the pages show and the rules work on. Each noun is declared here once.
package shelf
