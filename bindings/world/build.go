package world

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
	"golang.org/x/sync/errgroup"

	"github.com/webhost-systems/drhost/bindings/cloudflare/cloudflaresim"
	"github.com/webhost-systems/drhost/bindings/hetzner/hetznersim"
	"github.com/webhost-systems/drhost/bindings/world/machine"
)

// sshKeyName is the SSH key that the world's project has; its private half is
// in the descriptor.
const sshKeyName = "drhost"

func (w *World) makeKey() error {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		return err
	}
	block, err := ssh.MarshalPrivateKey(private, sshKeyName)
	if err != nil {
		return err
	}
	w.access.publicKey = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) + " " + sshKeyName
	w.access.keyFile = filepath.Join(w.dir, "access", "id_ed25519")
	w.access.knownHosts = filepath.Join(w.dir, "access", "known_hosts")
	return os.WriteFile(w.access.keyFile, pem.EncodeToMemory(block), 0o600)
}

// makeServers enters everything of Hetzner in the books, then makes the
// machines, all at the same time.
func (w *World) makeServers(ctx context.Context) (err error) {
	defer func() { // the simulator panics on a world that cannot be
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	w.hetzner.AddSSHKey(sshKeyName, w.access.publicKey, nil)
	images := map[string]bool{}
	for _, i := range w.spec.Images {
		images[i.Name] = true
		w.hetzner.AddImage(hetznersim.ImageSpec{Name: i.Name, Description: i.Description, Labels: i.Labels})
	}
	if !images[machine.Hobby] {
		w.hetzner.AddImage(hetznersim.ImageSpec{Name: machine.Hobby, Description: "Debian 12 with PostgreSQL and WebHost.Systems"})
	}
	networks := map[string]int64{}
	for _, n := range w.spec.Networks {
		networks[n.Name] = w.hetzner.AddNetwork(n.Name, n.Range, or(n.Location, "fsn1"), n.Labels)
	}
	ids := map[string]int64{}
	var machines []func(context.Context) error
	for _, s := range w.spec.Servers {
		spec := hetznersim.ServerSpec{Name: s.Name, Type: s.Type, Image: s.Image, Location: s.Location, Labels: s.Labels,
			SSHKeys: []string{w.access.publicKey}, Off: s.Off}
		for _, n := range s.Networks {
			spec.Networks = append(spec.Networks, networks[n])
		}
		id, ipv4, _ := w.hetzner.AddServer(spec)
		ids[s.Name], w.addresses[s.Name] = id, ipv4
		machines = append(machines, func(ctx context.Context) error { return w.makeMachine(ctx, s, id, ipv4) })
	}
	for _, f := range w.spec.Floating {
		_, w.floating[f.Name] = w.hetzner.AddFloatingIP(f.Name, or(f.Type, "ipv4"), or(f.Location, "fsn1"), ids[f.Server], f.Labels)
	}
	for _, f := range w.spec.Firewalls {
		var on []int64
		for _, name := range f.Servers {
			on = append(on, ids[name])
		}
		w.hetzner.AddFirewall(f.Name, f.Labels, f.Ports, on...)
	}
	for _, v := range w.spec.Volumes {
		w.hetzner.AddVolume(v.Name, or(v.Location, "fsn1"), max(v.Size, 10), ids[v.Server], v.Labels)
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, one := range machines {
		group.Go(func() error { return one(ctx) })
	}
	return group.Wait()
}

// makeMachine makes a machine that has been running for a while already.
func (w *World) makeMachine(ctx context.Context, s ServerSpec, id int64, ipv4 string) error {
	m, err := w.rack.Provision(ctx, machine.Spec{ID: id, Name: s.Name, Image: or(s.Image, machine.Bare), Address: ipv4,
		Keys: []string{w.access.publicKey}})
	if err != nil {
		return err
	}
	folder := map[string]string{RoleApp: machine.Files, RoleStorage: "/backups/app"}[s.Role]
	if folder != "" {
		for name, content := range w.application() {
			if err := m.Write(folder+"/"+name, content); err != nil {
				return fmt.Errorf("server %s: %w", s.Name, err)
			}
		}
	}
	if s.Off {
		return nil
	}
	if err := m.BootAtOnce(); err != nil {
		return err
	}
	if err := m.WaitUp(ctx); err != nil {
		return err
	}
	if s.Role != RoleApp {
		return nil
	}
	if err := m.Seed(ctx, machine.Seeds{Customers: s.Customers, Updates: s.Updates}); err != nil {
		return err
	}
	if s.Live {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.writers[s.Name] = m.StartWriter(w.opt.WriteEvery)
	}
	return nil
}

// application makes up the application's files, the same for one seed.
func (w *World) application() map[string][]byte {
	random := rand.New(rand.NewPCG(uint64(w.opt.Seed), 0x617070))
	release := or(w.spec.Release, "2024.11.1")
	text, err := json.Marshal(map[string]string{"release": release, "application": "WebHost.Systems"})
	if err != nil {
		panic(err) // two strings always encode
	}
	files := map[string][]byte{
		"release.json": append(text, '\n'),
		"index.html":   fmt.Appendf(nil, "<!doctype html>\n<title>WebHost.Systems</title>\n<p>Release %s\n", release),
		"config.toml":  []byte("database = \"webhost_prod\"\nlisten = 80\n"),
	}
	for i := range 40 {
		content := make([]byte, 1024+random.IntN(7*1024))
		for j := range content {
			content[j] = byte('a' + random.IntN(26))
		}
		files[fmt.Sprintf("assets/%02x/site-%02d.js", i%8, i)] = content
	}
	return files
}

// makeZones fills the DNS zones and starts the servers of DNS.
func (w *World) makeZones(context.Context) error {
	for _, z := range w.spec.Zones {
		w.cloudflare.AddZone(z.Name)
		for _, r := range z.Records {
			content := r.Content
			if r.Server != "" {
				content = w.addresses[r.Server]
			} else if r.FloatingIP != "" {
				content = w.floating[r.FloatingIP]
			} else if r.App != "" {
				content = w.apps[r.App]
			}
			if _, err := w.cloudflare.AddRecord(z.Name, cloudflaresim.Record{Name: r.Name, Type: or(r.Type, "A"), Content: content,
				TTL: max(r.TTL, 1), Proxied: r.Proxied, Priority: r.Priority, Comment: r.Comment}); err != nil {
				return err
			}
		}
	}
	if err := w.makePools(); err != nil {
		return err
	}
	w.nameservers = map[string]string{}
	var authoritative []*cloudflaresim.Nameserver
	for _, address := range []string{glue1, glue2} {
		n, err := w.cloudflare.ListenDNS()
		if err != nil {
			return err
		}
		w.onClose(n.Close)
		authoritative, w.nameservers[address] = append(authoritative, n), n.Addr()
	}
	fly, err := w.listenFlyDNS()
	if err != nil {
		return err
	}
	for _, address := range []string{resolver1, resolver2} {
		r, err := cloudflaresim.NewResolver(w.authority(authoritative, fly), w.opt.Clock, w.opt.Speed)
		if err != nil {
			return err
		}
		w.onClose(r.Close)
		w.nameservers[address] = r.Addr()
	}
	return nil
}

// writeKnownHosts writes the host keys of the machines that exist at the
// start, under their addresses and the DNS names that lead straight to them.
func (w *World) writeKnownHosts(context.Context) error {
	var text strings.Builder
	for _, s := range w.spec.Servers {
		m, err := w.rack.Named(s.Name)
		if err != nil {
			return err
		}
		names := []string{w.addresses[s.Name]}
		for _, z := range w.spec.Zones {
			for _, r := range z.Records {
				if r.Server == s.Name && s.Role == RoleStorage {
					names = append(names, qualified(r.Name, z.Name))
				}
			}
		}
		text.WriteString(knownhosts.Line(names, m.HostKey()) + "\n")
	}
	return os.WriteFile(w.access.knownHosts, []byte(text.String()), 0o600)
}

func qualified(name, zone string) string {
	if name == "@" || name == zone || strings.HasSuffix(name, "."+zone) {
		return strings.Replace(name, "@", zone, 1)
	}
	return name + "." + zone
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
