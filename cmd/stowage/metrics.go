package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/stowage/stowage/job"
	"github.com/stowage/stowage/pull"
	"github.com/stowage/stowage/pull/mirror"
	"github.com/stowage/stowage/storage"
)

// shelfMetrics reads the shelf's and the queue's numbers when Prometheus asks for them.
type shelfMetrics struct {
	store  *storage.Store
	jobs   *job.Runner
	queue  *pull.Queue
	mirror *mirror.Mirror // may be nil
	log    *slog.Logger
}

var (
	rowsDesc = prometheus.NewDesc("stowage_images",
		"Rows of the Images page: tags, and digests without a tag.", nil, nil)
	reposDesc   = prometheus.NewDesc("stowage_repositories", "Repositories on the shelf.", nil, nil)
	blobsDesc   = prometheus.NewDesc("stowage_blobs", "Blobs on the shelf.", nil, nil)
	bytesDesc   = prometheus.NewDesc("stowage_blob_bytes", "Bytes of all blobs on disk.", nil, nil)
	damagedDesc = prometheus.NewDesc("stowage_damaged_blobs",
		"Blobs that were found damaged on disk and are not mended.", nil, nil)
	freeDesc = prometheus.NewDesc("stowage_disk_free_bytes",
		"Free bytes of the volume that the data folder is on.", nil, nil)
	roomDesc = prometheus.NewDesc("stowage_disk_room_bytes",
		"Bytes that pulls and uploads may still take of that volume; negative below the reserve.", nil, nil)
	reserveDesc = prometheus.NewDesc("stowage_disk_reserve_bytes",
		"Bytes of that volume that stay free for the database.", nil, nil)
	activeDesc = prometheus.NewDesc("stowage_pulls_active", "Pulls that are queued or running.", nil, nil)
	endedDesc  = prometheus.NewDesc("stowage_pulls_total", "Pulls that have ended since the start, by outcome.",
		[]string{"outcome"}, nil)
	fetchedDesc = prometheus.NewDesc("stowage_fetched_bytes_total",
		"Bytes of blobs received from registries since the start.", nil, nil)

	mirrorAskedDesc = prometheus.NewDesc("stowage_mirror_questions_total",
		"Questions about tags to mirrored registries since the start.", nil, nil)
	mirrorStaleDesc = prometheus.NewDesc("stowage_mirror_stale_total",
		"Answers about tags from the shelf since the start because the registry could not be asked.", nil, nil)
	mirrorStreamedDesc = prometheus.NewDesc("stowage_mirror_streamed_total",
		"Blobs handed on to clients while they came, since the start.", nil, nil)
)

func (m shelfMetrics) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, ch) }

func (m shelfMetrics) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64) { ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v) }
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if t, err := m.store.Lists.Totals(ctx); err != nil {
		m.log.Error("read totals for the metrics", "error", err)
	} else {
		gauge(rowsDesc, float64(t.Images))
		gauge(reposDesc, float64(t.Repositories))
		gauge(blobsDesc, float64(t.Blobs))
		gauge(bytesDesc, float64(t.Bytes))
	}
	gauge(damagedDesc, float64(m.store.Blobs.CountDamaged()))
	if r, err := m.store.Space.Room(); err == nil {
		gauge(freeDesc, float64(r.Free))
		gauge(roomDesc, float64(r.Left()))
		gauge(reserveDesc, float64(r.Reserve))
	}
	s := m.jobs.Stats()
	gauge(activeDesc, float64(m.jobs.ActiveCount()))
	counter(endedDesc, float64(s.Done), string(job.Done))
	counter(endedDesc, float64(s.Failed), string(job.Failed))
	counter(endedDesc, float64(s.Cancelled), string(job.Cancelled))
	counter(fetchedDesc, float64(m.queue.Traffic().Bytes))
	if m.mirror != nil {
		s := m.mirror.Tally()
		counter(mirrorAskedDesc, float64(s.Asked))
		counter(mirrorStaleDesc, float64(s.Stale))
		counter(mirrorStreamedDesc, float64(s.Streamed))
	}
}

func newMetrics(store *storage.Store, jobs *job.Runner, queue *pull.Queue, mirror *mirror.Mirror,
	log *slog.Logger) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		shelfMetrics{store: store, jobs: jobs, queue: queue, mirror: mirror, log: log})
	return r
}
