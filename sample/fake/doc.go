// Package fake has stand-ins for what the world outside offers: registries, and the search services beside them.
//
// - [NewRegistry] serves the sample library from memory, with one tag that can move; [Push] uploads images to any
// registry.
//   - [Large] makes a registry of a few images look like one of very many.
//   - [Hub], [Quay], [Harbor] and [V1] answer as those search services do.
//   - [Faulty] makes a registry misbehave in a chosen way while it counts what it serves.
package fake
