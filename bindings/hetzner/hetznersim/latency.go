package hetznersim

import "time"

// Latency is how long the vendor's commands take at speed 1, from the answer
// of the API to the end of the action. The vendor publishes none of these, so
// each is assumed, on the slow side of what operators report.
type Latency struct {
	CreateServer    time.Duration // placing it and copying the image; with StartServer 25 s until running
	StartServer     time.Duration // power on; the guest's own boot comes on top
	StopServer      time.Duration // power off
	RebootServer    time.Duration // sending the ACPI signal
	ResetServer     time.Duration // power off and on again
	ShutdownServer  time.Duration // sending the ACPI signal
	DeleteServer    time.Duration // until the name is free again
	RebuildServer   time.Duration // as long as a creation
	ChangeType      time.Duration // copies the disk
	CreateImage     time.Duration // a snapshot of a small disk
	Rescue          time.Duration // enabling or disabling
	CreateVolume    time.Duration
	AttachVolume    time.Duration // and detaching
	ResizeVolume    time.Duration
	AssignIP        time.Duration // floating or primary, until traffic follows; and unassigning
	AttachNetwork   time.Duration // and detaching
	ApplyFirewall   time.Duration // and removing
	LoadBalancer    time.Duration // creation
	Target          time.Duration // adding or removing a target
	Setting         time.Duration // protection, reverse DNS and other entries in a table
	RescueLapses    time.Duration // not a command: an unused rescue system is disabled after this (docs: 60 minutes)
	HealthCheckWait time.Duration // not a command: a new target is "unknown" for this long
}

// DefaultLatency is the profile that drills use.
func DefaultLatency() Latency {
	return Latency{
		CreateServer:    20 * time.Second, // assumed
		StartServer:     5 * time.Second,  // assumed
		StopServer:      4 * time.Second,  // assumed
		RebootServer:    5 * time.Second,  // assumed
		ResetServer:     6 * time.Second,  // assumed
		ShutdownServer:  3 * time.Second,  // assumed
		DeleteServer:    3 * time.Second,  // assumed
		RebuildServer:   25 * time.Second, // assumed
		ChangeType:      60 * time.Second, // assumed
		CreateImage:     60 * time.Second, // assumed
		Rescue:          2 * time.Second,  // assumed
		CreateVolume:    3 * time.Second,  // assumed
		AttachVolume:    4 * time.Second,  // assumed
		ResizeVolume:    3 * time.Second,  // assumed
		AssignIP:        3 * time.Second,  // assumed
		AttachNetwork:   5 * time.Second,  // assumed
		ApplyFirewall:   3 * time.Second,  // assumed
		LoadBalancer:    5 * time.Second,  // assumed
		Target:          3 * time.Second,  // assumed
		Setting:         time.Second,      // assumed
		RescueLapses:    time.Hour,        // docs.hetzner.cloud, "Enable Rescue Mode for a Server"
		HealthCheckWait: 15 * time.Second, // one interval of the default health check
	}
}
