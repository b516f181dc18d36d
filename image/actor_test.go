package image

import "testing"

func TestARecordNamesAnAnonymousActorByTheAddress(t *testing.T) {
	for name, want := range map[string]ActorKind{
		"":                                "",
		"mira":                            ActorPerson,
		"10.2.3.4":                        ActorAnonymous,
		"2001:db8::1":                     ActorAnonymous,
		"client 10.2.3.4":                 ActorAnonymous,
		"client 10.2.3.4 (docker/27.1.1)": ActorAnonymous,
		"10.2.3.4 and more":               ActorPerson,
	} {
		if got := ActorNamed(name); got.Kind != want || got.String() != name {
			t.Errorf("%q is %+v, want a %q", name, got, want)
		}
	}
}
