package main

import "slices"

// arrows counts the uses of one file by another, and those that run up: against an order of the files that is chosen so
// that few do (the greedy heuristic of Eades, Lin and Smyth for the feedback arc set).
func (p *pkg) arrows() (all, up int) {
	place := map[string]int{}
	for i, name := range p.order() {
		place[name] = i
	}
	for name, f := range p.files {
		for used := range f.uses {
			all++
			if place[used] < place[name] {
				up++
			}
		}
	}
	return all, up
}

// order puts users before what they use, as far as that goes.
func (p *pkg) order() []string {
	left := map[string]bool{}
	for name := range p.files {
		left[name] = true
	}
	var first, last []string
	take := func(name string) { delete(left, name) }
	for len(left) > 0 {
		best, found := "", false
		for _, name := range sorted(left) {
			in, out := p.degree(name, left)
			if out == 0 {
				last, best, found = append(last, name), name, true
				break
			}
			if in == 0 {
				first, best, found = append(first, name), name, true
				break
			}
		}
		if !found {
			most := 0
			for i, name := range sorted(left) {
				if in, out := p.degree(name, left); i == 0 || out-in > most {
					best, most = name, out-in
				}
			}
			first = append(first, best)
		}
		take(best)
	}
	slices.Reverse(last)
	return append(first, last...)
}

// degree counts a file's arrows from and to those that are left.
func (p *pkg) degree(name string, left map[string]bool) (in, out int) {
	for other := range left {
		if other == name {
			continue
		}
		if p.files[other].uses[name] {
			in++
		}
		if p.files[name].uses[other] {
			out++
		}
	}
	return in, out
}

func sorted(names map[string]bool) []string {
	all := make([]string, 0, len(names))
	for n := range names {
		all = append(all, n)
	}
	slices.Sort(all)
	return all
}
