package pg

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

// family is a primary of its own with two replicas, the first of which is
// promoted once both have everything and the primary is gone.
func family(t *testing.T, c *Client) (primary, replica *server) {
	t.Helper()
	dir := filepath.Join(filepath.Dir(shared.dir), "family")
	start := func(name string, from *server) *server {
		folder, prepared := filepath.Join(dir, name), ""
		if from != nil {
			prepared = folder
			if err := shared.tool("pg_basebackup", "-h", "127.0.0.1", "-p", portOf(from), "-U", "postgres", "-D", folder, "-R", "-c", "fast", "--no-sync"); err != nil {
				t.Fatal(err)
			}
		}
		s, err := startCluster(folder, prepared)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.stop)
		return s
	}
	old := start("old", nil)
	primary, replica = start("one", old), start("two", old)
	old.sql(t, "postgres", "create table customers (id int primary key); insert into customers select generate_series(1, 100)")
	for _, s := range []*server{primary, replica} {
		caughtUp(t, c, s, 100)
	}
	// Asked to stop, it sends the replicas all that it has before it ends.
	if err := old.tool("pg_ctl", "-D", old.dir, "-m", "fast", "-w", "stop"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.promote(t.Context(), promoteArgs{Host: primary.host(), Within: 10 * time.Second}); err != nil {
		t.Fatal(err)
	}
	return primary, replica
}

// caughtUp waits until a server has so many customers.
func caughtUp(t *testing.T, c *Client, s *server, customers float64) {
	t.Helper()
	err := clock.Poll(t.Context(), clock.System{}, 10*time.Second, 20*time.Millisecond, func(ctx context.Context) (bool, error) {
		rows, err := c.query(ctx, queryArgs{Host: s.host(), SQL: "select count(*) as n from customers", Limit: 1, Within: time.Second})
		return err == nil && rows[0]["n"] == customers, nil
	})
	if err != nil {
		t.Fatalf("%s has not %v customers: %v", s.host(), customers, err)
	}
}

func TestAReplicaFollowsAnotherPrimary(t *testing.T) {
	c := client(t, nil, nil)
	primary, replica := family(t, c)
	args := followArgs{Host: replica.host(), Primary: primary.host(), Within: 10 * time.Second}
	if s, err := follow.Settled(c, t.Context(), args); err != nil || s.Landed != binding.No {
		t.Fatal(s, err)
	}
	if p, err := follow.Predict(c, t.Context(), args); err != nil || !p.Changed || p.Primary != primary.host() {
		t.Fatal(p, err)
	}
	if f, err := c.follow(t.Context(), args); err != nil || !f.Changed || f.State != "streaming" || f.Primary != primary.host() {
		t.Fatal(f, err)
	}
	primary.sql(t, "postgres", "insert into customers values (101)")
	caughtUp(t, c, replica, 101)
	if s, err := follow.Settled(c, t.Context(), args); err != nil || s.Landed != binding.Yes || s.Result.Primary != primary.host() {
		t.Fatal(s, err)
	}
	if f, err := c.follow(t.Context(), args); err != nil || f.Changed {
		t.Fatalf("to follow the same again changes nothing: %v %v", f, err)
	}
	anotherRole(t, c, primary, replica, args)
	for _, refused := range []struct {
		host, primary, slot, says string
	}{
		{primary.host(), replica.host(), "", "is a primary"},
		{replica.host(), shared.host(), "", "no copy"},
		{replica.host(), primary.host(), "nobody's", `no replication slot "nobody's"`},
	} {
		_, err := c.follow(t.Context(), followArgs{Host: refused.host, Primary: refused.primary, Slot: refused.slot, Within: time.Second})
		if f := fault.As(err); f.Kind != fault.Conflict || f.Sent != fault.NotDone || !strings.Contains(f.Message, refused.says) || f.Hint == "" {
			t.Errorf("%+v: %v, sent %v", refused, err, f.Sent)
		}
	}
	primary.sql(t, "postgres", "select pg_create_physical_replication_slot('two')")
	args.Slot = "two"
	if f, err := c.follow(t.Context(), args); err != nil || f.Slot != "two" {
		t.Fatal(f, err)
	}
	if s, err := c.status(t.Context(), statusArgs{Host: primary.host(), Pinned: 1 << 30, Transaction: time.Hour}); err != nil || len(s.Slots) != 1 || !s.Slots[0].Active {
		t.Errorf("%+v, %v", s.Slots, err)
	}
}

// anotherRole changes what the replica logs in with, to something wrong and to
// something right; neither comes to light in a fault or in a log of every statement.
func anotherRole(t *testing.T, c *Client, primary, replica *server, args followArgs) {
	t.Helper()
	primary.sql(t, "postgres", `create role follower replication login password 'it''s \secret'`)
	replica.sql(t, "postgres", "alter system set log_statement = 'all'")
	replica.sql(t, "postgres", "select pg_reload_conf()")
	args.User, args.Password, args.Within = "follower", secret.New("wrong-password"), time.Second
	_, err := c.follow(t.Context(), args)
	if f := fault.As(err); f.Kind != fault.Timeout || f.Transient || !strings.Contains(f.Hint, "pg_hba.conf") || strings.Contains(f.Error()+f.Hint, "wrong-password") {
		t.Fatalf("%v (%s)", err, f.Hint)
	}
	args.Password, args.Within = secret.New(`it's \secret`), 10*time.Second
	if f, err := c.follow(t.Context(), args); err != nil || !f.Changed {
		t.Fatal(f, err)
	}
	log, err := os.ReadFile(replica.dir + ".log")
	if err != nil || !strings.Contains(string(log), "pg_is_in_recovery") {
		t.Fatalf("the log of statements is not kept: %v", err)
	}
	if strings.Contains(string(log), "alter system set primary_conninfo") {
		t.Error("the log of statements has the password")
	}
}

func TestAServerStartedOtherwiseIsLeftAlone(t *testing.T) {
	for _, c := range []struct {
		replica      bool
		source, when string
		says         string
	}{
		{false, "default", "sighup", "is a primary"},
		{true, "command line", "sighup", "command line"},
		{true, "configuration file", "postmaster", "only at its start"},
	} {
		if f := fault.As(changeable("follow", "db-2", c.replica, c.source, c.when)); !strings.Contains(f.Message, c.says) || f.Hint == "" {
			t.Errorf("%+v: %v", c, f)
		}
	}
	if err := changeable("follow", "db-2", true, "configuration file", "sighup"); err != nil {
		t.Error(err)
	}
}

func TestConninfo(t *testing.T) {
	c, err := parseConninfo(`user=postgres  password='it''s' password = 'it\'s \\ one' channel_binding=prefer host=10.0.0.1 hostaddr=10.0.0.1 application_name=a\ b options=''`)
	if err == nil {
		t.Fatalf("two quotes in a row are no quote: %v", c)
	}
	c, err = parseConninfo(`user=postgres password = 'it\'s \\ one' channel_binding=prefer host=10.0.0.1 hostaddr=10.0.0.1 application_name=a\ b`)
	if err != nil {
		t.Fatal(err)
	}
	c = c.with("host", "10.0.0.2").with("hostaddr", "").with("port", strconv.Itoa(5433))
	const want = `user='postgres' password='it\'s \\ one' channel_binding='prefer' host='10.0.0.2' application_name='a b' port='5433'`
	if c.String() != want {
		t.Errorf("%s", c)
	}
	if again, err := parseConninfo(c.String()); err != nil || again.String() != want {
		t.Errorf("%v, %v", again, err)
	}
	for _, bad := range []string{"postgres://a@b/c", "host", "host='a", "=a"} {
		if c, err := parseConninfo(bad); err == nil {
			t.Errorf("%q: %v", bad, c)
		}
	}
}
