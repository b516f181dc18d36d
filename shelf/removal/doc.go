// Package removal decides what deleting and pruning do: docker's rules over what a shelf holds. It does no I/O of its
// own. What the rules have to know is asked for in bulk, of whoever calls, and then decided in memory; equal answers
// make equal plans.
//
//   - graph.go asks for the part of the shelf that a plan touches, and holds it;
//   - items.go and prune.go say what is wanted, by name or by a prune's filters;
//   - rules.go and bases.go refuse what has to stay, until nothing more is refused;
//   - plan.go and blobs.go write down what goes, what stays and for whom; fingerprint.go hashes all of it.
//
// A plan holds in memory what it touches, and no more of the shelf than that: some kilobytes for each digest with its
// images and layers, a few hundred megabytes for a prune of 100,000 tags. Lists that people see end at
// shelf.MaxPlanLines, and of the users of one blob or base a bounded number is looked at. Whoever plans large prunes
// has them take turns.
package removal
