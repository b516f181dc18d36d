// Package archive turns stored images into tar archives that docker load, podman load, skopeo and containerd take, and
// such archives into images.
//
// What is written is an OCI image layout (image-spec, image-layout.md) with docker's manifest.json in it, as docker
// save writes since version 25: blobs/sha256 has the original indexes, manifests, configs and compressed layers, so
// that nothing is compressed anew and every digest stays what it was. Engines with an image store of containerd's read
// index.json, older ones read manifest.json and unpack the same layers.
//
// An archive is worked out from descriptors alone: the bytes before and after each blob are known before the first blob
// is opened. Its size and its digest are known up front, it is the same each time, and it can be read from any offset.
package archive
