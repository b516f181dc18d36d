package removal

import (
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf"
)

// usersOfBase are images that stay and are built on others which would go.
type usersOfBase map[*img][]image.Digest

// bases refuses to delete an image on which images are built that stay. The first time, everything that goes is looked
// at; after that, only what turned out to stay is.
func (d *decision) bases() {
	if !d.based {
		d.based, d.back = true, nil
		users := usersOfBase{}
		limit := most(len(d.images))
		for base, built := range d.built {
			users[base] = append(users[base], built...)
		}
		for _, i := range d.images {
			for _, base := range i.bases {
				if !i.going && len(users[base]) < limit {
					users[base] = append(users[base], i.Manifest)
				}
			}
		}
		d.refuseBases(users)
	}
	for len(d.back) > 0 {
		back := d.back
		d.back = nil
		users := usersOfBase{}
		for _, i := range back {
			for _, base := range i.bases {
				if base.going && len(users[base]) < countedUsers {
					users[base] = append(users[base], i.Manifest)
				}
			}
		}
		d.refuseBases(users)
	}
}

// refuseBases refuses the items because of which bases go. The images of the plan keep the order.
func (d *decision) refuseBases(users usersOfBase) {
	if len(users) == 0 {
		return
	}
	for _, base := range d.images {
		if len(users[base]) == 0 || !base.going {
			continue
		}
		b := d.users(users[base], namedBlockers)
		for _, w := range d.behind(base) {
			d.refuse(w, b.refusal(shelf.RefusedBase, image.Textf("%s is the base of %s", w.name(), b.text())))
		}
	}
}
