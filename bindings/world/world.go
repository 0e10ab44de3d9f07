// Package world composes the simulators of providers, machines and DNS into
// one flight simulator: real clients reach it over real sockets on loopback,
// faults can be put into it, and what really happened can be read from it.
//
// It must never open a port beyond loopback, never let traffic leave the
// computer, never import a provider's binding, and never leave a process or a
// file behind when it is closed.
package world

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/webhost-systems/drhost/bindings/cloudflare/cloudflaresim"
	"github.com/webhost-systems/drhost/bindings/fly/flysim"
	"github.com/webhost-systems/drhost/bindings/hetzner/hetznersim"
	"github.com/webhost-systems/drhost/bindings/world/machine"
	"github.com/webhost-systems/drhost/host/clock"
)

// Latency of a provider's API at speed 1, per request.
const (
	hetznerLatency    = 80 * time.Millisecond  // assumed: within Europe
	cloudflareLatency = 120 * time.Millisecond // assumed: the API is answered in the USA
)

// Options of a world.
type Options struct {
	Name     string      // for its descriptor; "sim" when empty
	Speed    float64     // how many times faster than life waits go; below 1 is 1
	Seed     int64       // decides what would be chance
	Clock    clock.Clock // nil: clock.Scaled{Speed}
	StateDir string      // the descriptor is kept in StateDir/worlds/NAME.json; "" keeps none
	// WriteEvery is how often customers write to a live server; 50 ms when 0.
	WriteEvery time.Duration
}

// World is a running simulated world. Its methods are safe for concurrent use.
type World struct {
	spec    Spec
	opt     Options
	dir     string
	started time.Time
	access  access

	rack        *machine.Rack
	metal       *metal
	hetzner     *hetznersim.Sim
	cloudflare  *cloudflaresim.Sim
	fly         *flysim.Sim // nil in a world without Fly.io
	metalFly    *flyMetal
	edge        *edge
	begin       []func()            // lets customers write, once there are names
	gateways    map[string]*gateway // by provider
	requests    *requestLog
	nameservers map[string]string // documentation address -> loopback host:port
	floating    map[string]string // name -> address
	addresses   map[string]string // server -> IPv4
	apps        map[string]string // app -> address at Fly's edge
	pools       map[string]string // name -> id
	descriptor  Descriptor

	mu      sync.Mutex
	faults  []Fault
	inbox   []Message
	ran     []machine.Command
	writers map[string]*machine.Writer

	stopped  chan struct{} // closed by POST /stop
	stopOnce sync.Once
	closing  sync.Once
	closers  []func() error // what Close ends, the last first
	closeErr error
}

// access is what one needs to get in.
type access struct {
	hetznerToken, cloudflareToken, flyToken, password string
	keyFile, knownHosts, publicKey                    string
}

// Start builds the world of spec and runs it. Close it when done, also after
// an error of a later call; after an error of Start nothing is left.
func Start(ctx context.Context, spec Spec, opt Options) (_ *World, err error) {
	if err := spec.check(); err != nil {
		return nil, fmt.Errorf("start the world: %w", err)
	}
	opt.Speed = max(opt.Speed, 1)
	if opt.Clock == nil {
		opt.Clock = clock.Scaled{Factor: opt.Speed}
	}
	if opt.Name == "" {
		opt.Name = "sim"
	}
	if opt.WriteEvery <= 0 {
		opt.WriteEvery = 50 * time.Millisecond
	}
	if filepath.Base(opt.Name) != opt.Name || opt.Name[0] == '.' {
		return nil, fmt.Errorf("start the world: %q is no name for it", opt.Name)
	}
	w := &World{spec: spec, opt: opt, started: opt.Clock.Now().UTC(), requests: &requestLog{}, floating: map[string]string{},
		addresses: map[string]string{}, apps: map[string]string{}, pools: map[string]string{}, writers: map[string]*machine.Writer{}, gateways: map[string]*gateway{},
		stopped: make(chan struct{})}
	defer func() {
		if err != nil {
			err = fmt.Errorf("start the world: %w", err)
			if e := w.Close(); e != nil {
				err = errors.Join(err, e)
			}
		}
	}()
	for _, step := range []func(context.Context) error{w.makeFolder, w.makeProviders, w.makeMachines, w.makeZones, w.beginWriting,
		w.serve, w.clientEnv, w.writeKnownHosts, w.announce} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// makeFolder makes the world's one folder and the keys in it.
func (w *World) makeFolder(context.Context) error {
	place, err := machine.NewPlace("drhost-world-")
	if err != nil {
		return err
	}
	w.dir = place.Dir
	w.onClose(place.Remove)
	for _, sub := range []string{"backups", "access"} {
		if err := os.Mkdir(filepath.Join(w.dir, sub), 0o700); err != nil {
			return err
		}
	}
	for _, secret := range []*string{&w.access.hetznerToken, &w.access.cloudflareToken, &w.access.flyToken, &w.access.password} {
		raw := make([]byte, 20)
		if _, err := rand.Read(raw); err != nil {
			return err
		}
		*secret = hex.EncodeToString(raw)
	}
	w.access.flyToken = macaroon(w.access.flyToken)
	return w.makeKey()
}

func (w *World) makeProviders(context.Context) (err error) {
	w.rack, err = machine.New(machine.Options{Dir: filepath.Join(w.dir, "rack"), Clock: w.opt.Clock, Password: w.access.password, Dial: w.between, Runs: w.noteCommand})
	if err != nil {
		return err
	}
	w.onClose(w.rack.Close)
	w.metal = &metal{rack: w.rack, key: w.access.publicKey, routes: map[string]int64{}}
	w.hetzner = hetznersim.New(hetznersim.Options{Metal: w.metal, Clock: w.opt.Clock, Speed: w.opt.Speed,
		Token: w.access.hetznerToken, Seed: w.opt.Seed, Spent: w.spec.Hetzner.Spent})
	w.onClose(func() error { w.hetzner.Close(); return nil })
	w.cloudflare = cloudflaresim.New(cloudflaresim.Options{Clock: w.opt.Clock, Speed: w.opt.Speed, Token: w.access.cloudflareToken, Probe: w.probe})
	w.gateways["hetzner"] = &gateway{provider: "hetzner", latency: hetznerLatency, next: w.hetzner.Handler(),
		reject: rejectHetzner(w.opt.Clock.Now), revoke: w.hetzner.RevokeToken}
	w.gateways["cloudflare"] = &gateway{provider: "cloudflare", latency: cloudflareLatency, next: w.cloudflare.Handler(),
		reject: rejectCloudflare, revoke: w.cloudflare.RevokeToken}
	w.makeFlyProvider()
	for _, g := range w.gateways {
		g.clock, g.speed, g.requests = w.opt.Clock, w.opt.Speed, w.requests
		g.failed = func(err error) { w.record("later_failed", map[string]any{"error": err.Error()}) }
	}
	return nil
}

// serve opens the world's HTTP ports: one per provider and one for control.
func (w *World) serve(context.Context) error {
	hetzner, err := w.listen(w.gateways["hetzner"])
	if err != nil {
		return err
	}
	cloudflare, err := w.listen(w.gateways["cloudflare"])
	if err != nil {
		return err
	}
	fly := ""
	if w.fly != nil {
		if fly, err = w.listen(w.gateways["fly"]); err != nil {
			return err
		}
	}
	control, err := w.listen(w.control())
	if err != nil {
		return err
	}
	w.describe(hetzner+"/v1", cloudflare+"/client/v4", control)
	return w.describeFly(fly)
}

func (w *World) listen(h http.Handler) (url string, err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(ln) }() // ends with Close
	w.onClose(server.Close)
	return "http://" + ln.Addr().String(), nil
}

func (w *World) onClose(f func() error) { w.closers = append(w.closers, f) }

// Dir is the world's folder; it is gone after Close.
func (w *World) Dir() string { return w.dir }

// Stopped is closed when somebody asked the world to stop (POST /stop). Who
// holds the world then closes it.
func (w *World) Stopped() <-chan struct{} { return w.stopped }

// Close ends everything the world started and removes its folder.
func (w *World) Close() error {
	w.closing.Do(func() {
		var errs []error
		for i := len(w.closers) - 1; i >= 0; i-- {
			errs = append(errs, w.closers[i]())
		}
		w.closeErr = errors.Join(errs...)
	})
	return w.closeErr
}
