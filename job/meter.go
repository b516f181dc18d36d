package job

import "time"

// meterWindow is how far back a rate looks, and sampleEvery how often progress is sampled and told.
const (
	meterWindow = 4 * time.Second
	sampleEvery = 250 * time.Millisecond
)

// meter measures a rate over a sliding window.
type meter struct {
	samples []sample
}

type sample struct {
	at    time.Time
	moved int64
}

// add takes the bytes moved so far and gives the bytes a second over the window.
func (m *meter) add(at time.Time, moved int64) int64 {
	if n := len(m.samples); n > 0 && moved < m.samples[n-1].moved {
		m.samples = m.samples[:0] // a shared download was begun anew
	}
	m.samples = append(m.samples, sample{at, moved})
	old := 0
	for old < len(m.samples)-2 && at.Sub(m.samples[old].at) > meterWindow {
		old++
	}
	m.samples = append(m.samples[:0], m.samples[old:]...)
	first := m.samples[0]
	elapsed := at.Sub(first.at).Seconds()
	if elapsed <= 0 {
		return 0
	}
	return int64(float64(moved-first.moved) / elapsed)
}
