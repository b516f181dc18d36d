// Package docker is docker's dialect. It reads what people say to docker and to its like: the command lines, files and
// web pages that name images. It writes what docker says of an image: inspect's document, history's lines, the output
// of a template, an age in words. It works on texts and values alone and asks nobody.
package docker
