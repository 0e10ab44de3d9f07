package hetznersim_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/bindings/hetzner/hetznersim"
	"github.com/webhost-systems/drhost/host/clock"
)

// commandLine sets a project up and returns a way to call the vendor's own
// command line on it, which is older than the library and asks differently. An
// expected output that begins with "hcloud:" is that of a failure. The function
// is nil when the command is not installed.
func commandLine(t *testing.T) (*lab, func(want string, args ...string)) {
	l := newLab(t, hetznersim.Options{Speed: 5000})
	program, err := exec.LookPath("hcloud")
	if err != nil {
		t.Log("the hcloud command is not installed: the library alone was tried")
		return l, nil
	}
	one, _ := l.seed(hetznersim.ServerSpec{Name: "hobby-1", Labels: map[string]string{"tier": "hobby"}})
	l.seed(hetznersim.ServerSpec{Name: "hobby-2"})
	l.sim.AddFloatingIP("hobby-ip", "ipv4", "fsn1", one, nil)
	l.sim.AddVolume("data", "fsn1", 10, 0, nil)
	l.sim.AddSSHKey("drhost", publicKey, nil)
	l.sim.AddLoadBalancer("front", "fsn1", nil, one)
	l.sim.AddNetwork("inner", "10.0.0.0/16", "fsn1", nil)
	home := t.TempDir()
	return l, func(want string, args ...string) {
		t.Helper()
		c := exec.CommandContext(l.ctx, program, append([]string{"--poll-interval", "10ms"}, args...)...)
		c.Env = []string{"HOME=" + home, "HCLOUD_TOKEN=" + token, "HCLOUD_ENDPOINT=" + l.url, "PATH=" + os.Getenv("PATH")}
		out, err := c.CombinedOutput()
		if failed := strings.HasPrefix(want, "hcloud:"); (err != nil) != failed || !strings.Contains(string(out), want) {
			t.Fatalf("hcloud %s: %v, want %q in\n%s", strings.Join(args, " "), err, want, out)
		}
	}
}

func TestCommandLineServers(t *testing.T) {
	l, hcloud := commandLine(t)
	if hcloud == nil {
		return
	}
	one := l.sim.State().Servers["hobby-1"].ID
	hcloud("hobby-1", "server", "list")
	hcloud("hobby-1", "server", "list", "-l", "tier=hobby", "-o", "columns=id,name,status,ipv4,location")
	hcloud("203.0.113.10", "server", "describe", "hobby-1")
	hcloud("203.0.113.10", "server", "ip", "hobby-1")
	hcloud("debian-12", "image", "list", "-t", "system")
	hcloud("Server "+itoa(one)+" rebooted", "server", "reboot", "hobby-1")
	hcloud("Server "+itoa(one)+" stopped", "server", "poweroff", "hobby-1")
	hcloud("off", "server", "list")
	hcloud("Server "+itoa(one)+" started", "server", "poweron", "hobby-1")
	hcloud("Server "+itoa(one)+" reset", "server", "reset", "hobby-1")
	hcloud("Rescue enabled", "server", "enable-rescue", "hobby-1")
	hcloud("created from server", "server", "create-image", "--type", "snapshot", "--description", "kept", "hobby-1")
	hcloud("kept", "image", "list", "-t", "snapshot")
	hcloud("Server", "server", "create", "--name", "new-1", "--type", "cx22", "--image", "debian-12", "--location", "nbg1",
		"--ssh-key", "drhost", "--label", "tier=hobby")
	hcloud("running", "server", "describe", "new-1")
	hcloud("hcloud: server name is already used (uniqueness_error)", "server", "create", "--name", "new-1", "--type", "cx22", "--image", "debian-12")
	l.sim.SetSoldOut("hel1", true)
	hcloud("hcloud: error during placement (resource_unavailable)", "server", "create", "--name", "new-2", "--type", "cx22", "--image", "debian-12", "--location", "hel1")
	hcloud("deleted", "server", "delete", "new-1")
	// The client may be back before the action's end: the server is being deleted until then.
	if err := clock.Poll(t.Context(), clock.System{}, 20*time.Second, 20*time.Millisecond, func(context.Context) (bool, error) {
		return len(l.sim.State().Servers) == 2, nil
	}); err != nil {
		t.Fatalf("%v: %+v", err, l.sim.State().Servers)
	}
	hcloud("hcloud: server not found: new-1", "server", "describe", "new-1")
}

// TestCommandLineRest is what an operator may reach for besides.
func TestCommandLineRest(t *testing.T) {
	l, hcloud := commandLine(t)
	if hcloud == nil {
		return
	}
	l.sim.AddVolume("far", "hel1", 10, 0, nil)
	hcloud("Password of server", "server", "reset-password", "hobby-1")
	hcloud("wss://console", "server", "request-console", "hobby-1")
	hcloud("enabled", "server", "enable-backup", "hobby-1")
	hcloud("22-02", "server", "describe", "hobby-1")
	hcloud("disabled", "server", "disable-backup", "hobby-1")
	hcloud("debian-12.5.0-amd64-netinst.iso", "iso", "list")
	hcloud("attached", "server", "attach-iso", "hobby-1", "debian-12.5.0-amd64-netinst.iso")
	hcloud("debian-12.5.0-amd64-netinst.iso", "server", "describe", "hobby-1")
	hcloud("detached", "server", "detach-iso", "hobby-1")
	hcloud("hcloud: ISO not found: nosuch.iso", "server", "attach-iso", "hobby-1", "nosuch.iso")
	hcloud("created", "placement-group", "create", "--name", "apart", "--type", "spread")
	hcloud("hcloud: server must be stopped", "server", "add-to-placement-group", "--placement-group", "apart", "hobby-1")
	hcloud("hcloud: server must be stopped", "server", "change-type", "hobby-1", "cx32")
	hcloud("stopped", "server", "poweroff", "hobby-1")
	hcloud("added to placement group", "server", "add-to-placement-group", "--placement-group", "apart", "hobby-1")
	hcloud("apart", "placement-group", "list")
	hcloud("removed from placement group", "server", "remove-from-placement-group", "hobby-1")
	hcloud("changed to type", "server", "change-type", "hobby-1", "cx32")
	hcloud("cx32", "server", "describe", "hobby-1")
	hcloud("resized", "volume", "resize", "--size", "20", "data")
	hcloud("hcloud:", "volume", "resize", "--size", "5", "data")
	hcloud("hcloud:", "volume", "attach", "far", "--server", "hobby-2")
	hcloud("created", "primary-ip", "create", "--name", "kept", "--type", "ipv4", "--datacenter", "nbg1-dc3")
	hcloud("kept", "primary-ip", "list")
	hcloud("hcloud: invalid input in field 'location'", "primary-ip", "create", "--name", "nowhere", "--type", "ipv4", "--datacenter", "nosuch")
}

func TestCommandLineConnections(t *testing.T) {
	l, hcloud := commandLine(t)
	if hcloud == nil {
		return
	}
	hcloud("assigned to server", "floating-ip", "assign", "hobby-ip", "hobby-2")
	if st := l.sim.State(); st.FloatingIPs["hobby-ip"].Server != "hobby-2" {
		t.Fatalf("%+v", st.FloatingIPs)
	}
	hcloud("hobby-ip", "floating-ip", "list")
	hcloud("attached to server", "volume", "attach", "data", "--server", "hobby-2")
	hcloud("data", "volume", "list")
	hcloud("hobby-2", "volume", "describe", "data")
	hcloud("front", "load-balancer", "list")
	hcloud("lb11", "load-balancer", "describe", "front")
	hcloud("inner", "network", "list")
	hcloud("cx22", "server-type", "list")
	hcloud("Falkenstein", "location", "list")
	hcloud("203.0.113.10", "primary-ip", "list")
	hcloud("fsn1-dc14", "datacenter", "list")
	l.sim.RevokeToken()
	hcloud("hcloud: unable to authenticate (unauthorized)", "server", "list")
}
