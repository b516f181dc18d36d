package pull

import (
	"fmt"
	"testing"

	"github.com/stowage/stowage/image"
)

// BenchmarkStateOfAPullOfManyTags is a watcher who asks for the state while a tag of five thousand is fetched.
func BenchmarkStateOfAPullOfManyTags(b *testing.B) {
	for _, bm := range []struct {
		name  string
		moves bool // whether the tag at work came further since the last state
	}{{"nothing moved", false}, {"bytes moved", true}} {
		b.Run(bm.name, func(b *testing.B) {
			r := newRun(Job{AllTags: true, State: Pulling})
			tags := make([]string, MaxTags)
			for i := range tags {
				tags[i] = fmt.Sprint(i)
			}
			r.list(tags)
			r.beginTag(7)
			l := &layer{Descriptor: image.Descriptor{Size: 1 << 40}}
			l.follow(&progress{})
			r.show([]*layer{l})
			b.ReportAllocs()
			for b.Loop() {
				if bm.moves {
					l.source.bytes.Add(1)
				}
				r.mu.Lock()
				r.countTag()
				r.mu.Unlock()
				if j := r.snapshot(); len(j.Tags) != MaxTags {
					b.Fatal(len(j.Tags))
				}
			}
		})
	}
}
