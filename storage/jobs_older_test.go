package storage

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/migrations"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/registry"
	"github.com/stowage/stowage/storage/database"
)

// olderJob is a record as versions before the kinds of jobs have written it.
type olderJob struct {
	Reference  image.Reference  `json:"reference"`
	Platforms  []image.Platform `json:"platforms"`
	Requesters []string         `json:"requesters"`
	AllTags    bool             `json:"all_tags,omitzero"`
	Match      string           `json:"match,omitzero"`
	State      string           `json:"state"`
	Created    time.Time        `json:"created"`
	Layers     any              `json:"layers"`
	Reason     string           `json:"reason"`
	Upload     any              `json:"upload,omitempty"`
}

// leaveOlder makes the shelf's folder one of the version before jobs were claimed, which left jobs, and then one of this.
func (s *testShelf) leaveOlder(jobs ...olderJob) {
	s.t.Helper()
	statements := []string{`DROP INDEX pulls_what`}
	for _, column := range []string{"what", "host", "requester", "claimed", "epoch"} {
		statements = append(statements, `ALTER TABLE pulls DROP COLUMN `+column)
	}
	for _, statement := range statements {
		if _, err := (writing{s.folder.db}).ExecContext(s.t.Context(), statement); err != nil {
			s.t.Fatal(err)
		}
	}
	for _, j := range jobs {
		record, err := json.Marshal(j)
		if err != nil {
			s.t.Fatal(err)
		}
		if _, err := (writing{s.folder.db}).ExecContext(s.t.Context(), `INSERT INTO pulls (reference, state, created_at, job, tags) VALUES (?, ?, ?, ?, '')`,
			j.Reference.String(), j.State, database.Millis(j.Created), string(record)); err != nil {
			s.t.Fatal(err)
		}
	}
	raw, err := migrations.FS.ReadFile("0019_job_claims.sql")
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := (writing{s.folder.db}).ExecContext(s.t.Context(), string(raw)); err != nil {
		s.t.Fatal(err)
	}
}

func TestJobsThatAnOlderVersionLeftAreTakenUp(t *testing.T) {
	amd64 := image.Platform{OS: "linux", Architecture: "amd64"}
	l := newLine(t, Options{DefaultPlatform: amd64})
	l.push("jammy", "1")
	l.push("redis", "2")
	l.push("base", "3")
	if err := l.queue.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	app := tagRef(t, l.host+"/app:1")
	created := time.Unix(1, 0).UTC()
	l.leaveOlder(
		olderJob{
			Reference: app, State: "pulling", Requesters: []string{"mira"}, Created: created, Platforms: []image.Platform{amd64},
			Layers: []map[string]any{{"digest": image.DigestOf(nil), "size": 7, "state": "retrying", "reason": "it broke"}}, Reason: "it broke",
		},
		olderJob{
			Reference: image.Reference{Repository: app.Repository}, AllTags: true, Match: "2", State: "queued", Requesters: []string{"bob"},
			Created: created,
		},
		olderJob{State: "pulling", Requesters: []string{"mira"}, Created: created, Upload: map[string]any{"file": "images.tar"}},
	)
	client, err := registry.New(registry.Options{DockerConfig: t.TempDir(), AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	l.jobs = job.NewRunner(l.Jobs, nil, nil)
	l.queue = pull.New(pull.Options{Source: client, Blobs: l.Blobs, Space: l.Space, Images: l.Images, Recorder: l.Recorder, Runner: l.jobs, DefaultPlatform: amd64})
	if err := l.jobs.Abandon(t.Context(), job.Upload, errors.New("the server was stopped")); err != nil {
		t.Fatal(err)
	}
	if err := l.queue.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.end(1, job.Done)
	l.end(2, job.Done)
	l.end(3, job.Failed)
	l.has("1=jammy amd64", "2=redis amd64")
	if one := l.kept(1); pull.DigestOf(one) == "" || len(pull.Wanted(one)) != 1 || one.By[0] != "mira" || !one.Created.Equal(created) {
		t.Errorf("the pull is kept as %+v", one)
	}
	if all, _ := l.kept(2).Detail.(pull.AllTags); all.Match != "2" || len(all.Tags) != 1 {
		t.Errorf("the pull of all tags is kept as %+v", all)
	}
}
