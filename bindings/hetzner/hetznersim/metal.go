package hetznersim

import "context"

// Metal is what the simulated API stands on: the machines themselves. The API
// keeps the bookkeeping (status, actions, addresses); Metal boots, kills and
// remembers disks. Methods return when the metal has acted; the API adds the
// vendor's latency around them. All are safe for concurrent use.
type Metal interface {
	// Provision makes the disk of a new server from an image and, when
	// b.Start is true, boots it.
	Provision(ctx context.Context, b Blueprint) error
	// Boot powers a machine on. It returns at once; the guest comes up later.
	Boot(id int64) error
	// Cut takes the power away: processes die as by kill -9, the disk stays.
	Cut(id int64) error
	// Press is the ACPI button: shutdown, or reboot when reboot is true. A
	// guest that hangs ignores it; the API reports success all the same.
	Press(id int64, reboot bool) error
	// Image copies the disk of a machine into a new image.
	Image(id int64, image string) error
	// Destroy removes the machine and its disk.
	Destroy(id int64) error
	// Route sends traffic for an address (IPv4, IPv6, floating or primary) to
	// a machine; id 0 sends it nowhere.
	Route(address string, id int64)
	// Powered tells whether the machine is powered, whatever its guest does.
	Powered(id int64) bool
}

// Blueprint is what a new machine is made of.
type Blueprint struct {
	ID       int64
	Name     string
	Image    string // name of an image ("debian-12", "webhost-hobby") or the id of a snapshot
	Rescue   bool
	IPv4     string
	IPv6     string
	Location string
	UserData string
	SSHKeys  []string // public keys in authorized_keys form
	Start    bool
}

// Bare is a Metal without anything behind it, for tests of the API alone.
type Bare struct{}

func (Bare) Provision(context.Context, Blueprint) error { return nil }
func (Bare) Boot(int64) error                           { return nil }
func (Bare) Cut(int64) error                            { return nil }
func (Bare) Press(int64, bool) error                    { return nil }
func (Bare) Image(int64, string) error                  { return nil }
func (Bare) Destroy(int64) error                        { return nil }
func (Bare) Route(string, int64)                        {}
func (Bare) Powered(int64) bool                         { return true }
