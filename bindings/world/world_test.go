package world

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudflare/cloudflare-go"
	"github.com/hetznercloud/hcloud-go/v2/hcloud"
	"github.com/jackc/pgx/v5"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/webhost-systems/drhost/host/clock"
)

const specFile = "../../runbooks/worlds/webhost.toml"

// tour is a running world and what a test needs in it.
type tour struct {
	*testing.T
	*World
	ctx    context.Context
	client *hcloud.Client
}

func start(t *testing.T, speed float64) *tour {
	t.Helper()
	spec, err := Load(specFile)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	w, err := Start(ctx, spec, Options{Speed: speed, StateDir: t.TempDir(), WriteEvery: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return &tour{t, w, ctx, hetznerClient(w, w.access.hetznerToken)}
}

func hetznerClient(w *World, token string) *hcloud.Client {
	endpoint := w.Descriptor().Settings["hetzner"]["endpoint"].(string)
	return hcloud.NewClient(hcloud.WithEndpoint(endpoint), hcloud.WithToken(token),
		hcloud.WithPollOpts(hcloud.PollOpts{BackoffFunc: hcloud.ConstantBackoff(10 * time.Millisecond)}),
		hcloud.WithRetryOpts(hcloud.RetryOpts{BackoffFunc: hcloud.ConstantBackoff(time.Millisecond)}))
}

func (x *tour) server(name string) *hcloud.Server {
	x.Helper()
	s, _, err := x.client.Server.GetByName(x.ctx, name)
	if err != nil || s == nil {
		x.Fatalf("server %s: %v %v", name, s, err)
	}
	return s
}

// done waits for actions.
func (x *tour) done(err error, actions ...*hcloud.Action) {
	x.Helper()
	if err == nil {
		err = x.client.Action.WaitFor(x.ctx, actions...)
	}
	if err != nil {
		x.Fatal(err)
	}
}

// get asks the control port.
func (x *tour) get(path string, into any) {
	x.Helper()
	r, err := http.Get(x.Descriptor().Control + path)
	if err != nil {
		x.Fatal(err)
	}
	defer r.Body.Close()
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		x.Fatalf("%s: %v", path, err)
	}
}

func (x *tour) post(path string, body any) (int, string) {
	x.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		x.Fatal(err)
	}
	r, err := http.Post(x.Descriptor().Control+path, "application/json", bytes.NewReader(data))
	if err != nil {
		x.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		x.Fatal(err)
	}
	return r.StatusCode, string(text)
}

// dialRouted is what a client behind the switchboard does.
func (x *tour) dialRouted(address string) (net.Conn, error) {
	var to Route
	x.get("/route?network=tcp&address="+url.QueryEscape(address), &to)
	if to.To == "" {
		return nil, fmt.Errorf("refuse %v, drop %v", to.Refuse, to.Drop)
	}
	return net.Dial("tcp", to.To)
}

func (x *tour) eventually(what string, ok func() bool) {
	x.Helper()
	for !ok() {
		if (clock.System{}).Sleep(x.ctx, 10*time.Millisecond) != nil {
			x.Fatalf("never: %s", what)
		}
	}
}

func (x *tour) visit(host string) Visit {
	x.Helper()
	var v Visit
	x.get("/customer?url="+url.QueryEscape("http://"+host+"/health"), &v)
	return v
}

func (x *tour) healthy(host string) bool { return x.visit(host).Status == 200 }

func TestRecoveryByHand(t *testing.T) {
	began := clock.System{}.Now()
	x := start(t, 500)
	t.Logf("started in %v", clock.System{}.Now().Sub(began).Round(time.Millisecond))
	first := x.visit("hobby.webhost.systems")
	if first.Status != 200 || first.Address != "203.0.113.10" || !strings.Contains(first.Body, `"server":"hobby-1"`) {
		t.Fatalf("an ordinary day: %+v", first)
	}
	for _, host := range []string{"www.hobby.webhost.systems", "hobby-static.webhost.systems", "hobby-2.webhost.systems"} {
		if !x.healthy(host) {
			t.Errorf("%s: %+v", host, x.visit(host))
		}
	}
	if v := x.visit("nobody.webhost.systems"); v.Status != 0 || v.Error == "" {
		t.Errorf("a name that is not there: %+v", v)
	}

	old := x.server("hobby-1")
	if err := x.HangServer("hobby-1"); err != nil {
		t.Fatal(err)
	}
	if v := x.visit("hobby.webhost.systems"); v.Status != 0 {
		t.Errorf("hung, and yet %+v", v)
	}
	action, _, err := x.client.Server.Reboot(x.ctx, old)
	x.done(err, action)
	if x.healthy("hobby.webhost.systems") || x.State().Machines["hobby-1"] != "hung" {
		t.Error("a soft reboot healed it")
	}
	action, _, err = x.client.Server.Reset(x.ctx, old)
	x.done(err, action)
	x.eventually("the reset heals it", func() bool { return x.healthy("hobby.webhost.systems") })

	if err := x.BreakServer("hobby-1"); err != nil {
		t.Fatal(err)
	}
	action, _, err = x.client.Server.Reset(x.ctx, old)
	x.done(err, action)
	if s := x.server("hobby-1"); s.Status != hcloud.ServerStatusRunning || x.healthy("hobby.webhost.systems") {
		t.Errorf("reboot in vain: %s", s.Status)
	}

	if err := x.SoldOut("fsn1", ""); err != nil {
		t.Fatal(err)
	}
	key, _, err := x.client.SSHKey.GetByName(x.ctx, "drhost")
	if err != nil || key == nil {
		t.Fatalf("ssh key: %v", err)
	}
	order := hcloud.ServerCreateOpts{Name: "hobby-1-r", ServerType: &hcloud.ServerType{Name: "cx22"}, SSHKeys: []*hcloud.SSHKey{key},
		Image: &hcloud.Image{Name: "webhost-hobby"}, Location: &hcloud.Location{Name: "fsn1"}, Labels: map[string]string{"drhost-key": "k1"}}
	if _, _, err := x.client.Server.Create(x.ctx, order); !hcloud.IsError(err, hcloud.ErrorCodeResourceUnavailable) {
		t.Errorf("sold out: %v", err)
	}
	order.Location = &hcloud.Location{Name: "nbg1"}
	made, _, err := x.client.Server.Create(x.ctx, order)
	x.done(err, append(made.NextActions, made.Action)...)
	ip := made.Server.PublicNet.IPv4.IP.String()
	x.eventually("the new machine lets us in", func() bool { c, err := x.dialRouted(ip + ":22"); closed(c); return err == nil })
	x.restore(ip)

	f, _, err := x.client.FloatingIP.GetByName(x.ctx, "hobby-ip")
	if err != nil || f == nil {
		t.Fatalf("floating IP: %v", err)
	}
	action, _, err = x.client.FloatingIP.Assign(x.ctx, f, made.Server)
	x.done(err, action)
	x.eventually("the floating IP leads to it", func() bool { return strings.Contains(x.visit("hobby-static.webhost.systems").Body, "hobby-1-r") })
	x.moveRecord("hobby.webhost.systems", ip)
	x.eventually("customers see it", func() bool {
		v := x.visit("hobby.webhost.systems")
		return v.Status == 200 && v.Address == ip && strings.Contains(v.Body, `"customers":1`)
	})
	var truth struct {
		Count   int64     `json:"count"`
		FaultAt time.Time `json:"fault_at"`
		Before  time.Time `json:"last_before_fault"`
	}
	if x.get("/truth?server=hobby-1", &truth); truth.Count < 2000 || truth.FaultAt.IsZero() || truth.Before.After(truth.FaultAt) {
		t.Errorf("truth: %+v", truth)
	}
	var created []Request
	for _, r := range x.Requests() {
		if r.Acted && r.Method == "POST" && r.Path == "/v1/servers" {
			created = append(created, r)
		}
	}
	if len(created) != 1 || created[0].Key != "k1" || created[0].Status != 201 {
		t.Errorf("creations: %+v", created)
	}
	var names []string
	for _, f := range x.Faults() {
		names = append(names, f.Name)
	}
	if !slices.Equal(names, []string{"hang_server", "break_server", "sold_out"}) {
		t.Errorf("faults: %v", names)
	}
}

func closed(c io.Closer) {
	if conn, ok := c.(net.Conn); ok && conn != nil {
		conn.Close()
	}
}

// restore fills a new server by hand: one row, and the files over SSH.
func (x *tour) restore(ip string) {
	x.Helper()
	known, err := knownhosts.New(x.access.knownHosts)
	if err != nil {
		x.Fatal(err)
	}
	key, err := os.ReadFile(x.access.keyFile)
	if err != nil {
		x.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(key)
	if err != nil {
		x.Fatal(err)
	}
	login := func(address string, check ssh.HostKeyCallback) (*ssh.Client, error) {
		conn, err := x.dialRouted(address)
		if err != nil {
			return nil, err
		}
		c, chans, reqs, err := ssh.NewClientConn(conn, address, &ssh.ClientConfig{User: "root",
			Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: check})
		if err != nil {
			return nil, err
		}
		return ssh.NewClient(c, chans, reqs), nil
	}
	if _, err := login(ip+":22", known); err == nil || !strings.Contains(err.Error(), "key is unknown") {
		x.Errorf("the key of a new server is known: %v", err)
	}
	storage, err := login(x.addresses["storage-1"]+":22", known)
	if err != nil {
		x.Fatal(err)
	}
	defer storage.Close()
	release := output(x, storage, "cat /backups/app/release.json")
	fresh, err := login(ip+":22", ssh.InsecureIgnoreHostKey())
	if err != nil {
		x.Fatal(err)
	}
	defer fresh.Close()
	output(x, fresh, "mkdir -p /var/www/webhost; echo '"+strings.TrimSpace(release)+"' > /var/www/webhost/release.json; systemctl restart webhost")

	cfg, err := pgx.ParseConfig("host=" + ip + " user=postgres dbname=webhost_prod sslmode=disable password=" + x.access.password)
	if err != nil {
		x.Fatal(err)
	}
	cfg.DialFunc = func(_ context.Context, _, address string) (net.Conn, error) { return x.dialRouted(address) }
	var conn *pgx.Conn
	x.eventually("the database of the new server", func() bool { conn, err = pgx.ConnectConfig(x.ctx, cfg); return err == nil })
	defer conn.Close(x.ctx)
	if _, err := conn.Exec(x.ctx, `CREATE TABLE customers (id int); INSERT INTO customers VALUES (1); CREATE TABLE sync_updates (created_at timestamptz)`); err != nil {
		x.Fatal(err)
	}
}

func output(x *tour, c *ssh.Client, command string) string {
	x.Helper()
	s, err := c.NewSession()
	if err != nil {
		x.Fatal(err)
	}
	defer s.Close()
	text, err := s.CombinedOutput(command)
	if err != nil {
		x.Fatalf("%s: %v: %s", command, err, text)
	}
	ran := x.Commands()
	if last := ran[len(ran)-1]; last.Text != command || !last.Ended || last.Cut || last.Exit != 0 || last.Stdout != string(text) {
		x.Errorf("of %q the world knows %+v", command, last)
	}
	return string(text)
}

func (x *tour) moveRecord(name, ip string) {
	x.Helper()
	api, err := cloudflare.NewWithAPIToken(x.access.cloudflareToken, cloudflare.UsingRetryPolicy(0, 0, 0),
		cloudflare.BaseURL(x.Descriptor().Settings["cloudflare"]["endpoint"].(string)))
	if err != nil {
		x.Fatal(err)
	}
	id, err := api.ZoneIDByName("webhost.systems")
	if err != nil {
		x.Fatal(err)
	}
	zone := cloudflare.ZoneIdentifier(id)
	records, _, err := api.ListDNSRecords(x.ctx, zone, cloudflare.ListDNSRecordsParams{Name: name, Type: "A"})
	if err != nil || len(records) != 1 {
		x.Fatalf("records: %v %v", records, err)
	}
	if _, err := api.UpdateDNSRecord(x.ctx, zone, cloudflare.UpdateDNSRecordParams{ID: records[0].ID, Type: "A", Name: name, Content: ip, TTL: 60}); err != nil {
		x.Fatal(err)
	}
}
