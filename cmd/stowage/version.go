package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the linker for releases; otherwise the build information tells.
var version = ""

// versionLine returns one line such as "stowage 0.1.0 go1.26.8 linux/amd64".
func versionLine() string {
	v := version
	if info, ok := debug.ReadBuildInfo(); ok && v == "" {
		v = info.Main.Version
	}
	if v == "" {
		v = "(devel)"
	}
	return fmt.Sprintf("stowage %s %s %s/%s", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
