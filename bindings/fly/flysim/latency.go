package flysim

import "time"

// Latency is how long what the platform does takes at speed 1. The vendor
// publishes none of these, so each is assumed, on the slow side of what
// operators report.
type Latency struct {
	Create   time.Duration // reserving a place and pulling the image
	Start    time.Duration // from stopped to started; the guest's own boot comes on top
	Stop     time.Duration // from the signal to stopped, for a process that listens to it
	Update   time.Duration // replacing a machine's configuration, before it starts again
	Destroy  time.Duration
	Snapshot time.Duration // of a small volume
	Volume   time.Duration // creation, also out of a snapshot
	Backup   time.Duration // of a managed cluster
	Cluster  time.Duration // until a managed cluster is ready
}

// DefaultLatency is the profile that drills use.
func DefaultLatency() Latency {
	return Latency{
		Create:   5 * time.Second,        // assumed: an image that the host has not got yet
		Start:    800 * time.Millisecond, // fly.io/docs/machines/overview: machines start in well under a second
		Stop:     2 * time.Second,        // assumed
		Update:   3 * time.Second,        // assumed
		Destroy:  2 * time.Second,        // assumed
		Snapshot: 20 * time.Second,       // assumed
		Volume:   5 * time.Second,        // assumed
		Backup:   2 * time.Minute,        // assumed
		Cluster:  5 * time.Minute,        // assumed
	}
}
