package world

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Spec is what a world holds when its story begins, as a TOML file says it.
type Spec struct {
	Title     string         `toml:"title"`
	Zones     []ZoneSpec     `toml:"zone"`
	Servers   []ServerSpec   `toml:"server"`
	Floating  []FloatingSpec `toml:"floating_ip"`
	Networks  []NetworkSpec  `toml:"network"`
	Firewalls []FirewallSpec `toml:"firewall"`
	Volumes   []VolumeSpec   `toml:"volume"`
	Images    []ImageSpec    `toml:"image"`
	Pools     []PoolSpec     `toml:"pool"`
	Release   string         `toml:"release"` // of the application's files
	Apps      []AppSpec      `toml:"app"`
	Postgres  []PostgresSpec `toml:"postgres"`
	Regions   []RegionSpec   `toml:"region"`
	Hetzner   HetznerSpec    `toml:"hetzner"`
}

// HetznerSpec is the state of the project's account at Hetzner.
type HetznerSpec struct {
	Spent int `toml:"requests_spent"` // of the requests per hour, by others, when the story begins
}

// ZoneSpec is a DNS zone at Cloudflare.
type ZoneSpec struct {
	Name      string         `toml:"name"`
	Records   []RecordSpec   `toml:"record"`
	Balancers []BalancerSpec `toml:"load_balancer"`
}

// RecordSpec is a DNS record. An A record says Content, or whose address it
// is: Server, FloatingIP or App.
type RecordSpec struct {
	Name       string `toml:"name"`
	Type       string `toml:"type"`
	Content    string `toml:"content"`
	Server     string `toml:"server"`
	FloatingIP string `toml:"floating_ip"`
	App        string `toml:"app"`
	TTL        int    `toml:"ttl"` // 0: automatic
	Proxied    bool   `toml:"proxied"`
	Priority   uint16 `toml:"priority"`
	Comment    string `toml:"comment"`
}

// Roles that a server's disk can be filled for.
const (
	RoleApp     = "app"     // the application's files under /var/www/webhost, its database filled
	RoleStorage = "storage" // the application's files under /backups/app, to be copied from
)

// ServerSpec is a server at Hetzner.
type ServerSpec struct {
	Name      string            `toml:"name"`
	Type      string            `toml:"type"`
	Image     string            `toml:"image"`
	Location  string            `toml:"location"`
	Labels    map[string]string `toml:"labels"`
	Role      string            `toml:"role"`
	Customers int               `toml:"customers"` // rows to begin with, of an app
	Updates   int               `toml:"updates"`
	Live      bool              `toml:"live"` // customers keep writing to it
	Networks  []string          `toml:"networks"`
	Off       bool              `toml:"off"`
}

// FloatingSpec is a floating IP.
type FloatingSpec struct {
	Name     string            `toml:"name"`
	Type     string            `toml:"type"` // "ipv4" or "ipv6"
	Location string            `toml:"location"`
	Server   string            `toml:"server"`
	Labels   map[string]string `toml:"labels"`
}

// NetworkSpec is a private network.
type NetworkSpec struct {
	Name     string            `toml:"name"`
	Range    string            `toml:"range"`
	Location string            `toml:"location"`
	Labels   map[string]string `toml:"labels"`
}

// FirewallSpec is a firewall that lets TCP in on some ports.
type FirewallSpec struct {
	Name    string            `toml:"name"`
	Ports   []string          `toml:"ports"`
	Servers []string          `toml:"servers"`
	Labels  map[string]string `toml:"labels"`
}

// VolumeSpec is a block volume; it exists in the books only.
type VolumeSpec struct {
	Name     string            `toml:"name"`
	Location string            `toml:"location"`
	Size     int               `toml:"size"` // GB
	Server   string            `toml:"server"`
	Labels   map[string]string `toml:"labels"`
}

// ImageSpec is an image beyond the provider's own.
type ImageSpec struct {
	Name        string            `toml:"name"`
	Description string            `toml:"description"`
	Labels      map[string]string `toml:"labels"`
}

// Load reads a world's file. An unknown key is an error with its line.
func Load(path string) (Spec, error) {
	var s Spec
	data, err := os.ReadFile(path)
	if err != nil {
		return s, fmt.Errorf("read the world: %w", err)
	}
	d := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return s, fmt.Errorf("%s:%w", path, located(err))
	}
	if s.Title == "" {
		s.Title = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	}
	if err := s.check(); err != nil {
		return s, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// located puts the line in front of a TOML error.
func located(err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		row, _ := strict.Errors[0].Position()
		return fmt.Errorf("%d: unknown key %s", row, strings.Join(strict.Errors[0].Key(), "."))
	}
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		row, _ := bad.Position()
		return fmt.Errorf("%d: %w", row, err)
	}
	return fmt.Errorf(" %w", err)
}

// check finds what the simulators would refuse or misunderstand.
func (s Spec) check() error {
	if s.Hetzner.Spent < 0 {
		return fmt.Errorf("hetzner: requests_spent is %d; it counts from 0", s.Hetzner.Spent)
	}
	servers, floating, networks := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, n := range s.Networks {
		networks[n.Name] = true
	}
	for _, v := range s.Servers {
		if v.Name == "" || servers[v.Name] {
			return fmt.Errorf("server %q: every server needs a name of its own", v.Name)
		}
		servers[v.Name] = true
		if v.Role != "" && v.Role != RoleApp && v.Role != RoleStorage {
			return fmt.Errorf("server %s: role %q is neither %s nor %s", v.Name, v.Role, RoleApp, RoleStorage)
		}
		if v.Role != RoleApp && (v.Live || v.Customers > 0 || v.Updates > 0) {
			return fmt.Errorf("server %s: only a server with role %s has customers, updates or live", v.Name, RoleApp)
		}
		if v.Off && v.Role == RoleApp {
			return fmt.Errorf("server %s: one with role %s cannot be off", v.Name, RoleApp)
		}
		for _, n := range v.Networks {
			if !networks[n] {
				return fmt.Errorf("server %s: there is no network %q", v.Name, n)
			}
		}
	}
	for _, f := range s.Floating {
		floating[f.Name] = true
		if f.Server != "" && !servers[f.Server] {
			return fmt.Errorf("floating_ip %s: there is no server %q", f.Name, f.Server)
		}
	}
	for _, f := range s.Firewalls {
		for _, name := range f.Servers {
			if !servers[name] {
				return fmt.Errorf("firewall %s: there is no server %q", f.Name, name)
			}
		}
	}
	for _, v := range s.Volumes {
		if v.Server != "" && !servers[v.Server] {
			return fmt.Errorf("volume %s: there is no server %q", v.Name, v.Server)
		}
	}
	if err := s.checkFly(); err != nil {
		return err
	}
	for _, z := range s.Zones {
		for _, r := range z.Records {
			if err := r.check(servers, floating, s.appNames()); err != nil {
				return fmt.Errorf("zone %s: record %q: %w", z.Name, r.Name, err)
			}
		}
	}
	return s.checkPools(servers)
}

func (r RecordSpec) check(servers, floating, apps map[string]bool) error {
	given := 0
	for _, v := range []string{r.Content, r.Server, r.FloatingIP, r.App} {
		if v != "" {
			given++
		}
	}
	switch {
	case given != 1:
		return errors.New("give exactly one of content, server, floating_ip and app")
	case r.Server != "" && !servers[r.Server]:
		return fmt.Errorf("there is no server %q", r.Server)
	case r.FloatingIP != "" && !floating[r.FloatingIP]:
		return fmt.Errorf("there is no floating_ip %q", r.FloatingIP)
	case r.App != "" && !apps[r.App]:
		return fmt.Errorf("there is no app %q", r.App)
	}
	return nil
}
