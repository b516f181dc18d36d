// Package docker reads what people say to docker and to its like: the command lines, files and web pages that name
// images. It has rules on texts alone, and asks nobody.
package docker
