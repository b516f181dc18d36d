package web

import "github.com/stowage/stowage/image"

// Listed is a route for tests outside of the package.
type Listed struct {
	Method, Path string
	Action       image.Action
}

// Table lists the routes, and what each has for a section as a route of its own.
func Table(o Options) []Listed {
	var all []Listed
	for _, r := range table(o) {
		all = append(all, Listed{r.method, r.path, r.action})
		for section, action := range r.below {
			all = append(all, Listed{r.method, "/images/busybox:1/" + string(section), action})
		}
	}
	return all
}
