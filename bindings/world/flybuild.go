package world

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/webhost-systems/drhost/bindings/cloudflare/cloudflaresim"
	"github.com/webhost-systems/drhost/bindings/fly/flysim"
	"github.com/webhost-systems/drhost/bindings/world/machine"
)

// flyLatency is what Fly's API takes per request at speed 1.
const flyLatency = 90 * time.Millisecond // assumed: within Europe

// flexImage is what machines of a Postgres app run.
const flexImage = "flyio/postgres-flex:16.2"

// makeFlyProvider makes the simulator of Fly.io, if the world has any of it.
func (w *World) makeFlyProvider() {
	if !w.spec.hasFly() {
		return
	}
	w.metalFly = newFlyMetal(w)
	for _, p := range w.spec.Postgres {
		if p.ReplicaOf != "" {
			w.metalFly.follows[p.Name] = p.ReplicaOf // never changes again, so that nobody needs the lock
		}
	}
	w.fly = flysim.New(flysim.Options{Metal: w.metalFly, Clock: w.opt.Clock, Speed: w.opt.Speed, Token: w.access.flyToken, Seed: w.opt.Seed})
	w.onClose(func() error { w.fly.Close(); return nil })
	w.gateways["fly"] = &gateway{provider: "fly", latency: flyLatency, next: w.fly.Handler(), reject: rejectFly, revoke: w.fly.RevokeToken}
}

// makeMachines makes those of every provider, at the same time.
func (w *World) makeMachines(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return w.makeServers(ctx) })
	if w.fly != nil {
		group.Go(func() error { return w.makeFly(ctx) })
	}
	return group.Wait()
}

// makeFly enters everything of Fly.io in the books and lets it run.
func (w *World) makeFly(ctx context.Context) error {
	if err := w.makeEdge(); err != nil {
		return err
	}
	for _, p := range w.spec.Postgres {
		if p.Managed {
			w.fly.AddCluster(p.Name, or(first(p.Machines), "ams"))
			continue
		}
		if err := w.makePostgres(ctx, p); err != nil {
			return fmt.Errorf("postgres %s: %w", p.Name, err)
		}
	}
	for _, a := range w.spec.Apps {
		if err := w.makeApp(ctx, a); err != nil {
			return fmt.Errorf("app %s: %w", a.Name, err)
		}
	}
	for _, r := range w.spec.Regions {
		w.fly.SetFull(r.Name, r.Full)
	}
	return nil
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// makePostgres lets the primary run and fills it, then the others clone it.
func (w *World) makePostgres(ctx context.Context, p PostgresSpec) error {
	archive := archiveAddress(p.Name)
	if _, err := w.fly.AddApp(flysim.AppSpec{Name: p.Name, Postgres: true, Images: []string{flexImage}, Region: p.Machines[0],
		Secrets: map[string]string{archiveSecret: archive, "OPERATOR_PASSWORD": w.access.password}}); err != nil {
		return err
	}
	var prints []flysim.Blueprint
	for i, region := range p.Machines {
		b, err := w.fly.AddMachine(flysim.MachineSpec{App: p.Name, Name: fmt.Sprintf("%s-%d", p.Name, i+1), Region: region,
			Config: flexConfig(p), Volume: "pg_data", VolumeSize: max(p.Volume, 10)})
		if err != nil {
			return err
		}
		prints = append(prints, b)
	}
	if err := w.metalFly.Start(ctx, prints[0]); err != nil {
		return err
	}
	leader := w.metalFly.nodeOf(prints[0].ID)
	if err := leader.m.WaitDatabase(ctx); err != nil {
		return err
	}
	if p.ReplicaOf == "" {
		if err := leader.m.Seed(ctx, machine.Seeds{Customers: p.Customers, Updates: p.Updates}); err != nil {
			return err
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, b := range prints[1:] {
		group.Go(func() error {
			if err := w.metalFly.Start(ctx, b); err != nil {
				return err
			}
			return w.metalFly.nodeOf(b.ID).m.WaitDatabase(ctx)
		})
	}
	if p.ReplicaOf == "" {
		group.Go(func() error { return w.metalFly.keepBackup(ctx, leader, "") })
	}
	return group.Wait()
}

// archiveAddress is where a Postgres app keeps its backups.
func archiveAddress(app string) string {
	return "https://key:secret@fly.storage.tigris.dev/" + app + "-backups/" + app
}

// flexConfig is the configuration of a machine of a Postgres app, as flyctl
// makes it.
func flexConfig(p PostgresSpec) map[string]any {
	check := func(path string) map[string]any {
		return map[string]any{"type": "http", "port": 5500, "path": "/flycheck/" + path, "interval": "15s", "timeout": "10s"}
	}
	service := func(port int) map[string]any {
		return map[string]any{"protocol": "tcp", "internal_port": port, "autostart": false, "ports": []any{map[string]any{"port": port, "handlers": []any{"pg_tls"}}},
			"concurrency": map[string]any{"type": "connections", "hard_limit": 1000, "soft_limit": 1000}}
	}
	return map[string]any{"image": flexImage, "env": map[string]any{"PRIMARY_REGION": p.Machines[0]}, "restart": map[string]any{"policy": "always"},
		"guest":    map[string]any{"cpu_kind": "shared", "cpus": 1, "memory_mb": memory(p.Memory, 1024)},
		"metadata": map[string]any{"fly_platform_version": "v2", "fly_process_group": "app", "fly_release_version": "1", "fly-managed-postgres": "true"},
		"services": []any{service(5432), service(5433)}, "checks": map[string]any{"pg": check("pg"), "role": check("role"), "vm": check("vm")}}
}

func memory(given, otherwise int) int {
	if given == 0 {
		return otherwise
	}
	return given
}

// makeApp lets a web app run and customers write through it.
func (w *World) makeApp(ctx context.Context, a AppSpec) (err error) {
	secrets := map[string]string{}
	maps.Copy(secrets, a.Secrets)
	if a.Database != "" {
		secrets[databaseVariable] = w.databaseURL(a.Database)
	}
	if w.apps[a.Name], err = w.fly.AddApp(flysim.AppSpec{Name: a.Name, Images: a.Images, Region: a.Machines[0], Secrets: secrets,
		Definition: webDefinition(a)}); err != nil {
		return err
	}
	for i, region := range a.Machines {
		b, err := w.fly.AddMachine(flysim.MachineSpec{App: a.Name, Name: fmt.Sprintf("%s-%d", a.Name, i+1), Region: region, Config: webConfig(a)})
		if err != nil {
			return err
		}
		if err := w.metalFly.Start(ctx, b); err != nil {
			return err
		}
	}
	for _, p := range w.spec.Postgres {
		if p.Live && p.Name == a.Database {
			w.letCustomersWrite(a.Name, p.Name)
		}
	}
	return nil
}

// databaseURL is how an app reaches a Postgres app.
func (w *World) databaseURL(name string) string {
	return "postgres://postgres:" + w.access.password + "@" + name + ".flycast:5432/" + machine.Database
}

func webConfig(a AppSpec) map[string]any {
	check := map[string]any{"type": "http", "port": 8080, "method": "GET", "path": "/health", "interval": "15s", "timeout": "5s", "grace_period": "5s"}
	service := map[string]any{"protocol": "tcp", "internal_port": 8080, "autostart": true, "min_machines_running": 1, "checks": []any{check},
		"ports": []any{map[string]any{"port": 80, "handlers": []any{"http"}}, map[string]any{"port": 443, "handlers": []any{"tls", "http"}}}}
	return map[string]any{"image": a.Images[len(a.Images)-1], "env": map[string]any{"PRIMARY_REGION": a.Machines[0], "PHX_HOST": a.Name + ".fly.dev"},
		"guest": map[string]any{"cpu_kind": "shared", "cpus": 1, "memory_mb": memory(a.Memory, 512)}, "services": []any{service},
		"metadata": map[string]any{"fly_platform_version": "v2", "fly_process_group": "app", "fly_release_version": fmt.Sprint(len(a.Images))},
		"restart":  map[string]any{"policy": "on-failure", "max_retries": 10}}
}

// webDefinition is what the app's fly.toml says, so that a deployment makes
// the same of a machine.
func webDefinition(a AppSpec) map[string]any {
	check := map[string]any{"method": "GET", "path": "/health", "interval": "15s", "timeout": "5s", "grace_period": "5s"}
	return map[string]any{"app": a.Name, "primary_region": a.Machines[0], "env": map[string]any{"PHX_HOST": a.Name + ".fly.dev"},
		"http_service": map[string]any{"internal_port": 8080, "force_https": false, "auto_start_machines": true, "min_machines_running": 1, "checks": []any{check}}}
}

// letCustomersWrite makes the customers of an app, who write into whatever
// database its machines use at the moment. They begin when the world's names
// are there.
func (w *World) letCustomersWrite(app, database string) {
	writer := machine.NewWriter(func(ctx context.Context) (*pgx.Conn, error) { return w.metalFly.connectThrough(ctx, app) }, w.opt.Clock, w.opt.WriteEvery)
	ctx, cancel := context.WithCancel(context.Background())
	w.onClose(func() error { cancel(); return nil })
	w.mu.Lock()
	w.writers[app], w.writers[database] = writer, writer
	w.mu.Unlock()
	w.begin = append(w.begin, func() { go writer.Run(ctx) })
}

// beginWriting lets the customers of Fly's apps begin.
func (w *World) beginWriting(context.Context) error {
	for _, begin := range w.begin {
		begin()
	}
	return nil
}

// connectThrough connects as the application on one of an app's healthy
// machines does; the connection ends with that machine.
func (f *flyMetal) connectThrough(ctx context.Context, app string) (*pgx.Conn, error) {
	list := f.world.edge.candidates(ctx, app)
	list = slices.DeleteFunc(list, func(s *site) bool { return s.bad })
	if len(list) == 0 {
		return nil, errNobody
	}
	conn, err := f.world.connect(ctx, list[0].b.Env[databaseVariable])
	if err != nil {
		return nil, err
	}
	list[0].keep(conn.PgConn().Conn())
	return conn, nil
}

// listenFlyDNS starts the name server of Fly.io, if the world has any of it.
func (w *World) listenFlyDNS() (*cloudflaresim.Nameserver, error) {
	if w.fly == nil {
		return nil, nil
	}
	n, err := cloudflaresim.Listen(w.answerFly)
	if err == nil {
		w.onClose(n.Close)
	}
	return n, err
}

// authority says which servers a resolver asks for a zone.
func (w *World) authority(cloudflare []*cloudflaresim.Nameserver, fly *cloudflaresim.Nameserver) func(string) []string {
	of := w.cloudflare.Authoritative(cloudflare...)
	return func(zone string) []string {
		if fly != nil && slices.Contains(flyZones(), zone) {
			return []string{fly.Addr()}
		}
		return of(zone)
	}
}

// trust is what a customer's client trusts: the authority of Fly's edge.
func (w *World) trust() *tls.Config {
	if w.edge == nil {
		return nil
	}
	pool := x509.NewCertPool()
	if text, err := os.ReadFile(w.edge.authority); err == nil {
		pool.AppendCertsFromPEM(text)
	}
	return &tls.Config{RootCAs: pool}
}

// describeFly adds to the descriptor how to get at Fly.io.
func (w *World) describeFly(url string) error {
	if w.fly == nil {
		return nil
	}
	// flyctl wants a WireGuard peer for some commands; without websockets it
	// is content with one that nobody stands behind.
	folder := filepath.Join(w.dir, "access", "flyctl")
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "config.yml"), []byte("wire_guard_websockets: false\nsend_metrics: false\n"), 0o600); err != nil {
		return err
	}
	d := &w.descriptor
	d.Settings["fly"] = map[string]any{"api_url": url, "machines_url": url, "organization": "webhost-systems", "token": "plain:" + w.access.flyToken}
	d.Settings["http"] = map[string]any{"authorities": w.edge.authority}
	d.Env = append(d.Env, "FLY_API_BASE_URL="+url, "FLY_FLAPS_BASE_URL="+url, "FLY_UIEX_BASE_URL="+url, "FLY_METRICS_BASE_URL="+url,
		"FLY_SYNTHETICS_BASE_URL="+url, "FLY_ACCESS_TOKEN="+w.access.flyToken, "FLY_API_TOKEN="+w.access.flyToken, "FLY_NO_UPDATE_CHECK=1",
		"FLY_SEND_METRICS=0", "FLY_SYNTHETICS_AGENT=0", "FLY_CONFIG_DIR="+folder)
	for _, p := range w.spec.Postgres {
		if !p.Managed && p.ReplicaOf == "" {
			d.Env = append(d.Env, "WEBHOST_DB_ARCHIVE="+archiveAddress(p.Name))
			break
		}
	}
	return nil
}

var errNoFly = errors.New("this world has nothing at Fly.io; the one in runbooks/worlds/production.toml has")
