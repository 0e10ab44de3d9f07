package hetznersim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// location is a place with servers. Facts are the vendor's; its data centres
// are still answered though deprecated.
type location struct {
	head
	description, country, city, zone, datacenter string
	latitude, longitude                          float64
}

func locations() []*location {
	return []*location{
		{head{id: 1, name: "fsn1"}, "Falkenstein DC Park 1", "DE", "Falkenstein", "eu-central", "fsn1-dc14", 50.47612, 12.370071},
		{head{id: 2, name: "nbg1"}, "Nuremberg DC Park 1", "DE", "Nuremberg", "eu-central", "nbg1-dc3", 49.452102, 11.076665},
		{head{id: 3, name: "hel1"}, "Helsinki DC Park 1", "FI", "Helsinki", "eu-central", "hel1-dc2", 60.169855, 24.938379},
		{head{id: 4, name: "ash"}, "Ashburn, VA", "US", "Ashburn, VA", "us-east", "ash-dc1", 39.045821, -77.487073},
		{head{id: 5, name: "hil"}, "Hillsboro, OR", "US", "Hillsboro, OR", "us-west", "hil-dc1", 45.54222, -122.951924},
		{head{id: 6, name: "sin"}, "Singapore", "SG", "Singapore", "ap-southeast", "sin-dc1", 1.283333, 103.833333},
	}
}

func findLocation(r ref) *location {
	for _, l := range locations() {
		if r.means(l.id, l.name) {
			return l
		}
	}
	return nil
}

func (l *location) view() obj {
	return obj{
		"id": l.id, "name": l.name, "description": l.description, "country": l.country, "city": l.city,
		"latitude": l.latitude, "longitude": l.longitude, "network_zone": l.zone,
	}
}

// serverType is a size of server. Names and sizes are the vendor's; prices are
// rounded and only their shape matters.
type serverType struct {
	head
	category, cpu, arch string
	cores, disk         int
	memory              float64
	monthly             float64 // euros, net
	where               []string
}

func serverTypes() []*serverType {
	europe := []string{"fsn1", "nbg1", "hel1"}
	world := append(slices.Clone(europe), "ash", "hil", "sin")
	make := func(id int64, name, category, cpu, arch string, cores int, memory float64, disk int, monthly float64, where []string) *serverType {
		return &serverType{head{id: id, name: name}, category, cpu, arch, cores, disk, memory, monthly, where}
	}
	return []*serverType{
		make(22, "cpx11", "regular_purpose", "shared", "x86", 2, 2, 40, 4.35, world),
		make(23, "cpx21", "regular_purpose", "shared", "x86", 3, 4, 80, 7.55, world),
		make(24, "cpx31", "regular_purpose", "shared", "x86", 4, 8, 160, 13.6, world),
		make(25, "cpx41", "regular_purpose", "shared", "x86", 8, 16, 240, 25.2, world),
		make(26, "cpx51", "regular_purpose", "shared", "x86", 16, 32, 360, 54.9, world),
		make(45, "cax11", "cost_optimized", "shared", "arm", 2, 4, 40, 3.79, europe),
		make(93, "cax21", "cost_optimized", "shared", "arm", 4, 8, 80, 6.49, europe),
		make(94, "cax31", "cost_optimized", "shared", "arm", 8, 16, 160, 12.49, europe),
		make(95, "cax41", "cost_optimized", "shared", "arm", 16, 32, 320, 24.49, europe),
		make(96, "ccx13", "general_purpose", "dedicated", "x86", 2, 8, 80, 12.49, world),
		make(97, "ccx23", "general_purpose", "dedicated", "x86", 4, 16, 160, 24.49, world),
		make(98, "ccx33", "general_purpose", "dedicated", "x86", 8, 32, 240, 48.49, world),
		make(104, "cx22", "cost_optimized", "shared", "x86", 2, 4, 40, 3.79, europe),
		make(105, "cx32", "cost_optimized", "shared", "x86", 4, 8, 80, 6.8, europe),
		make(106, "cx42", "cost_optimized", "shared", "x86", 8, 16, 160, 16.4, europe),
		make(107, "cx52", "cost_optimized", "shared", "x86", 16, 32, 320, 32.4, europe),
		make(114, "cx23", "cost_optimized", "shared", "x86", 2, 4, 40, 3.49, europe),
		make(115, "cx33", "cost_optimized", "shared", "x86", 4, 8, 80, 5.49, europe),
		make(116, "cx43", "cost_optimized", "shared", "x86", 8, 16, 160, 9.49, europe),
		make(117, "cx53", "cost_optimized", "shared", "x86", 16, 32, 320, 17.49, europe),
	}
}

func findServerType(r ref) *serverType {
	for _, t := range serverTypes() {
		if r.means(t.id, t.name) {
			return t
		}
	}
	return nil
}

// offer is a server type at a location; with an empty type, all of them.
type offer struct{ location, serverType string }

// Unknown says of a location, and of a server type when it is not empty, that
// there is none of that name and which there are; "" when both are known.
func Unknown(location, serverType string) string {
	if findLocation(ref{name: location}) == nil {
		return fmt.Sprintf("there is no location %q; there are %s", location, names(locations()))
	}
	if serverType != "" && findServerType(ref{name: serverType}) == nil {
		return fmt.Sprintf("there is no server type %q; there are %s", serverType, names(serverTypes()))
	}
	return ""
}

// names lists nouns by their names.
func names[N interface{ top() *head }](list []N) string {
	var out []string
	for _, n := range list {
		out = append(out, n.top().name)
	}
	return strings.Join(out, ", ")
}

// SetSoldOut makes a location refuse new servers of every type, or accept them
// again.
func (s *Sim) SetSoldOut(location string, soldOut bool) { s.SetTypeSoldOut(location, "", soldOut) }

// SetTypeSoldOut does the same for one server type at a location.
func (s *Sim) SetTypeSoldOut(location, serverType string, soldOut bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.soldOut[offer{location, serverType}] = soldOut
}

// SetLocationDisabled makes a location refuse new servers because the vendor
// has closed it, with the other message that the vendor has for this.
func (s *Sim) SetLocationDisabled(location string, disabled bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.disabled[location] = disabled
}

// available tells whether a type can be had at a location. The caller holds
// the lock.
func (s *Sim) available(t *serverType, location string) bool {
	return slices.Contains(t.where, location) && !s.disabled[location] &&
		!s.soldOut[offer{location, ""}] && !s.soldOut[offer{location, t.name}]
}

func (s *Sim) serverTypeView(t *serverType) obj {
	places := []obj{}
	for _, l := range locations() {
		if slices.Contains(t.where, l.name) {
			free := s.available(t, l.name)
			places = append(places, obj{"id": l.id, "name": l.name, "recommended": free, "available": free, "deprecation": nil})
		}
	}
	return obj{
		"id": t.id, "name": t.name, "description": strings.ToUpper(t.name), "category": t.category,
		"cores": t.cores, "memory": t.memory, "disk": t.disk, "storage_type": "local", "cpu_type": t.cpu,
		"architecture": t.arch, "included_traffic": 0, "prices": t.prices(), "deprecated": false,
		"deprecation": nil, "locations": places,
	}
}

// datacenterView is the deprecated form of a location.
func (s *Sim) datacenterView(l *location) obj {
	supported, free := []int64{}, []int64{}
	for _, t := range serverTypes() {
		if slices.Contains(t.where, l.name) {
			supported = append(supported, t.id)
		}
		if s.available(t, l.name) {
			free = append(free, t.id)
		}
	}
	return obj{
		"id": l.id, "name": l.datacenter, "description": l.city + " virtual DC", "location": l.view(),
		"server_types": obj{"supported": supported, "available": free, "available_for_migration": free},
	}
}

func (s *Sim) listServerTypes(c *call) (int, any, error) {
	return listing(c, "server_types", serverTypes(), s.serverTypeView)
}

func (s *Sim) getServerType(c *call) (int, any, error) {
	t := findServerType(ref{id: c.id})
	if t == nil {
		return 0, nil, notFound("server type", c.id)
	}
	return 200, obj{"server_type": s.serverTypeView(t)}, nil
}

func (s *Sim) listLocations(c *call) (int, any, error) {
	return listing(c, "locations", locations(), (*location).view)
}

func (s *Sim) getLocation(c *call) (int, any, error) {
	l := findLocation(ref{id: c.id})
	if l == nil {
		return 0, nil, notFound("location", c.id)
	}
	return 200, obj{"location": l.view()}, nil
}

func (s *Sim) listDatacenters(c *call) (int, any, error) {
	places := locations()
	for _, l := range places {
		l.name, l.datacenter = l.datacenter, l.name // the filter goes by the name of the data centre
	}
	status, body, err := listing(c, "datacenters", places, func(l *location) obj {
		return s.datacenterView(findLocation(ref{id: l.id}))
	})
	if err != nil {
		return 0, nil, err
	}
	body.(obj)["recommendation"] = places[0].id
	return status, body, nil
}

func (s *Sim) getDatacenter(c *call) (int, any, error) {
	l := findLocation(ref{id: c.id})
	if l == nil {
		return 0, nil, notFound("datacenter", c.id)
	}
	return 200, obj{"datacenter": s.datacenterView(l)}, nil
}
