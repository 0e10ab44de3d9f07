package hetznersim

import "fmt"

// The Add methods set a project up as if it had existed before: no request, no
// action, no wait. They panic on a specification that cannot be (an unknown
// location or type, a name used twice), because that is a mistake in the world
// and not something that may happen in a drill.

// ServerSpec describes a server that exists already.
type ServerSpec struct {
	Name     string
	Type     string // empty: cx22
	Image    string // name or id; empty: debian-12
	Location string // empty: fsn1
	Labels   map[string]string
	SSHKeys  []string // public keys
	Networks []int64
	Off      bool
}

// AddServer enters a server in the books and routes its addresses to it. It
// does not touch the machine: the caller provisions that, with the id it gets.
// The IPv6 is the machine's address, the first of its network.
func (s *Sim) AddServer(spec ServerSpec) (id int64, ipv4, ipv6 string) {
	defer s.flush()
	s.mu.Lock()
	defer s.mu.Unlock()
	kind := findServerType(ref{name: or(spec.Type, "cx22")})
	where := mustFind(findLocation(ref{name: or(spec.Location, "fsn1")}), "location", spec.Location)
	mustFind(kind, "server type", spec.Type)
	from, err := s.findImage(reference(or(spec.Image, "debian-12")), kind.arch)
	must(err)
	if used(inOrder(s.servers), spec.Name, 0) || !isHostname(spec.Name) {
		must(invalid("name", "server %q exists already or is no hostname", spec.Name))
	}
	must(checkLabels(spec.Labels))
	v := &server{
		head: s.newHead(spec.Name, spec.Labels), kind: kind, image: from, location: where, powered: !spec.Off,
		heldOff: spec.Off, keys: spec.SSHKeys, disk: kind.disk,
	}
	must(s.giveAddresses(serverRequest{}, v))
	s.servers[v.id] = v
	for _, network := range spec.Networks {
		must(s.joinable(v, mustFind(s.networks[network], "network", network), ""))
		s.join(v, s.networks[network], "", nil)
	}
	return v.id, s.primaryOf(v.id, "ipv4").ip, host(s.primaryOf(v.id, "ipv6").ip)
}

// AddFloatingIP adds a floating IP of a kind ("ipv4", "ipv6") at a location,
// assigned to a server unless that is 0. It returns the address that traffic
// goes to.
func (s *Sim) AddFloatingIP(name, kind, location string, server int64, labels map[string]string) (id int64, ip string) {
	defer s.flush()
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.newFloating(name, kind, mustFind(findLocation(ref{name: location}), "location", location))
	must(err)
	f.labels = labels
	if server != 0 {
		f.server = mustFind(s.servers[server], "server", server).id
		s.route(host(f.ip), server)
	}
	return f.id, host(f.ip)
}

// AddPrimaryIP adds an unassigned primary IP that outlives its servers.
func (s *Sim) AddPrimaryIP(name, kind, location string, labels map[string]string) (id int64, ip string) {
	defer s.flush()
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.newPrimary(name, kind, mustFind(findLocation(ref{name: location}), "location", location))
	must(err)
	p.labels = labels
	s.route(host(p.ip), 0)
	return p.id, host(p.ip)
}

// AddVolume adds a volume of a size in GB, attached to a server unless that is
// 0.
func (s *Sim) AddVolume(name, location string, size int, server int64, labels map[string]string) (id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := &volume{
		head: s.newHead(name, labels), location: mustFind(findLocation(ref{name: location}), "location", location),
		status: "available", size: size, format: "ext4",
	}
	if server != 0 {
		must(d.fits(mustFind(s.servers[server], "server", server)))
		d.server = server
	}
	s.volumes[d.id] = d
	return d.id
}

// AddLoadBalancer adds a load balancer (lb11) for HTTP on port 80 with servers
// as targets.
func (s *Sim) AddLoadBalancer(name, location string, labels map[string]string, servers ...int64) (id int64, ipv4 string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &loadBalancer{
		kind: balancerTypes()[0], location: mustFind(findLocation(ref{name: location}), "location", location),
		algorithm: "round_robin", enabled: true,
		services: []service{{
			Protocol: "http", ListenPort: 80, DestinationPort: 80, HTTP: &web{CookieName: "HCLBSTICKY", CookieLifetime: 300, Certificates: []int64{}},
			HealthCheck: check{Protocol: "http", Port: 80, Interval: 15, Timeout: 10, Retries: 3, HTTP: &checkWeb{Path: "/health", StatusCodes: []string{"2??"}}},
		}},
	}
	for _, server := range servers {
		t := &target{kind: "server", server: server}
		must(s.checkTarget(b, t))
		b.targets = append(b.targets, t)
	}
	var err error
	b.ipv4, err = s.addresses.ipv4()
	must(err)
	b.ipv6, b.head = s.addresses.ipv6(), s.newHead(name, labels)
	s.balancers[b.id] = b
	return b.id, b.ipv4
}

// AddNetwork adds a private network with one subnet over its whole range, in
// the zone of a location.
func (s *Sim) AddNetwork(name, ipRange, location string, labels map[string]string) (id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	where := mustFind(findLocation(ref{name: location}), "location", location)
	n := &network{head: s.newHead(name, labels), ipRange: mustPrefix(ipRange)}
	must(n.addSubnet(subnetRequest{Type: "cloud", IPRange: ipRange, NetworkZone: where.zone}))
	s.networks[n.id] = n
	return n.id
}

// AddFirewall adds a firewall that lets TCP in on some ports, applied to
// servers.
func (s *Sim) AddFirewall(name string, labels map[string]string, ports []string, servers ...int64) (id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := &firewall{head: s.newHead(name, labels), servers: servers, rules: []rule{}}
	for _, port := range ports {
		f.rules = append(f.rules, rule{
			Direction: "in", Protocol: "tcp", Port: &port, SourceIPs: []string{"0.0.0.0/0", "::/0"}, DestinationIPs: []string{},
		})
	}
	s.firewalls[f.id] = f
	return f.id
}

// AddSSHKey adds a public key in authorized_keys form.
func (s *Sim) AddSSHKey(name, public string, labels map[string]string) (id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := &sshKey{head: s.newHead(name, labels), public: public, fingerprint: fingerprint(public)}
	s.keys[k.id] = k
	return k.id
}

// ImageSpec describes an image beyond those of the catalogue.
type ImageSpec struct {
	Name         string // an image with a name is one of the vendor's own; empty: a snapshot
	Description  string
	Architecture string // empty: x86
	Labels       map[string]string
	DiskSize     int    // GB; 0: 5
	From         int64  // the server a snapshot was made of
	FromName     string // its name
}

// AddImage adds an image that servers can be created from. The metal is asked
// for it by its name, or by its id when it has none.
func (s *Sim) AddImage(spec ImageSpec) (id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := &image{
		head: s.newHead(spec.Name, spec.Labels), kind: "system", status: "available", description: or(spec.Description, spec.Name),
		flavor: "debian", version: "12", arch: or(spec.Architecture, "x86"), diskSize: max(spec.DiskSize, 5),
	}
	if spec.Name == "" {
		i.kind, i.imageSize = "snapshot", float64(i.diskSize)/20
	}
	if spec.From != 0 {
		i.from = &resourceName{spec.From, spec.FromName}
	}
	s.images[i.id] = i
	return i.id
}

// reference reads a name or a number.
func reference(text string) ref {
	var r ref
	if err := r.UnmarshalJSON([]byte(`"` + text + `"`)); err != nil {
		r.name = text
	}
	return r
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func must(err error) {
	if err != nil {
		panic(fmt.Sprintf("hetznersim: the world cannot be set up: %v", err))
	}
}

func mustFind[T any](found *T, kind string, key any) *T {
	if found == nil {
		panic(fmt.Sprintf("hetznersim: the world cannot be set up: no %s %v", kind, key))
	}
	return found
}
