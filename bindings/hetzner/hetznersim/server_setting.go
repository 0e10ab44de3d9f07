package hetznersim

import (
	"fmt"
)

// serverSettings are the commands on a server that neither power it nor touch
// its disk.
func (s *Sim) serverSettings() map[string]handler {
	return map[string]handler{
		"reset_password": s.resetPassword, "request_console": s.requestConsole,
		"enable_backup": s.enableBackup, "disable_backup": s.disableBackup,
		"attach_iso": s.attachISO, "detach_iso": s.detachISO,
		"add_to_placement_group": s.addToPlacement, "remove_from_placement_group": s.removeFromPlacement,
	}
}

// setting is an action on a server that is an entry in a table.
func (s *Sim) setting(v *server, command string, end func(), also ...resource) *action {
	return s.start(job{command: command, on: append([]resource{v.resource()}, also...), took: s.latency.Setting, busy: []*int{&v.busy}, end: end})
}

// resetPassword needs a guest that answers: it is the guest that changes it.
func (s *Sim) resetPassword(c *call) (int, any, error) {
	v, err := s.freeServer(c.id)
	if err != nil {
		return 0, nil, err
	}
	if !v.on() {
		return 0, nil, refused("invalid_input", "server must be running to reset its root password")
	}
	a := s.setting(v, "reset_password", nil)
	return 201, obj{"action": s.actionView(a), "root_password": s.password()}, nil
}

func (s *Sim) requestConsole(c *call) (int, any, error) {
	v, err := s.freeServer(c.id)
	if err != nil {
		return 0, nil, err
	}
	a := s.setting(v, "request_console", nil)
	token := s.password()
	return 201, obj{"action": s.actionView(a), "password": s.password(),
		"wss_url": fmt.Sprintf("wss://console.hetzner.cloud/?server_id=%d&token=%s", v.id, token)}, nil
}

// window is when backups are made; the vendor chooses it.
const window = "22-02"

func (s *Sim) enableBackup(c *call) (int, any, error) {
	v, err := s.freeServer(c.id)
	if err != nil {
		return 0, nil, err
	}
	return s.acted(s.setting(v, "enable_backup", func() { v.window = window }))
}

// disableBackup takes the server's backups along.
func (s *Sim) disableBackup(c *call) (int, any, error) {
	v, err := s.freeServer(c.id)
	if err != nil {
		return 0, nil, err
	}
	return s.acted(s.setting(v, "disable_backup", func() {
		v.window = ""
		for _, i := range inOrder(s.images) {
			if i.boundTo == v.id {
				delete(s.images, i.id)
			}
		}
	}))
}

func (s *Sim) addToPlacement(c *call) (int, any, error) {
	v, err := s.freeServer(c.id)
	if err != nil {
		return 0, nil, err
	}
	var asked struct {
		Group ref `json:"placement_group"`
	}
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	g := s.placements[asked.Group.id]
	switch {
	case asked.Group.empty():
		return 0, nil, invalid("placement_group", "must be given")
	case g == nil:
		return 0, nil, notFound("placement group", asked.Group.key())
	case v.on():
		return 0, nil, refused("server_not_stopped", "server must be stopped to add it to a placement group")
	case v.placement != 0:
		return 0, nil, refused("already_in_placement_group", "server is already in a placement group")
	}
	return s.acted(s.setting(v, "add_to_placement_group", func() { v.placement = g.id }, resource{g.id, "placement_group"}))
}

func (s *Sim) removeFromPlacement(c *call) (int, any, error) {
	v, err := s.freeServer(c.id)
	if err != nil {
		return 0, nil, err
	}
	if v.placement == 0 {
		return 0, nil, refused("not_in_placement_group", "server is not in a placement group")
	}
	return s.acted(s.setting(v, "remove_from_placement_group", func() { v.placement = 0 }, resource{v.placement, "placement_group"}))
}

// iso is a medium that a server can boot from. The names are the vendor's; a
// machine does not really boot from it.
type iso struct {
	head
	description, arch string
}

func isos() []*iso {
	return []*iso{
		{head{id: 8637, name: "debian-12.5.0-amd64-netinst.iso"}, "Debian 12.5 (amd64/netinst)", "x86"},
		{head{id: 8638, name: "debian-12.5.0-arm64-netinst.iso"}, "Debian 12.5 (arm64/netinst)", "arm"},
		{head{id: 26498, name: "SystemRescue-11.00-amd64.iso"}, "SystemRescue 11.00 (amd64)", "x86"},
		{head{id: 122630, name: "virtio-win-0.1.248.iso"}, "virtio 0.1.248", ""},
	}
}

func (i *iso) view() obj {
	return obj{"id": i.id, "name": i.name, "description": i.description, "type": "public", "deprecation": nil, "architecture": optional(i.arch)}
}

func (s *Sim) listISOs(c *call) (int, any, error) {
	var list []*iso
	for _, i := range isos() {
		if oneOf(c.query["architecture"], i.arch) || (i.arch == "" && c.query.Get("include_architecture_wildcard") == "true") {
			list = append(list, i)
		}
	}
	return listing(c, "isos", list, (*iso).view)
}

func findISO(r ref) *iso {
	for _, i := range isos() {
		if r.means(i.id, i.name) {
			return i
		}
	}
	return nil
}

func (s *Sim) getISO(c *call) (int, any, error) {
	i := findISO(ref{id: c.id})
	if i == nil {
		return 0, nil, notFound("ISO", c.id)
	}
	return 200, obj{"iso": i.view()}, nil
}

func (s *Sim) attachISO(c *call) (int, any, error) {
	v, err := s.freeServer(c.id)
	if err != nil {
		return 0, nil, err
	}
	var asked struct {
		ISO ref `json:"iso"`
	}
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	i := findISO(asked.ISO)
	switch {
	case asked.ISO.empty():
		return 0, nil, invalid("iso", "must be given")
	case i == nil:
		return 0, nil, notFound("ISO", asked.ISO.key())
	case i.arch != "" && i.arch != v.kind.arch:
		return 0, nil, invalid("iso", "is of another architecture than the server")
	}
	return s.acted(s.setting(v, "attach_iso", func() { v.iso = i }))
}

func (s *Sim) detachISO(c *call) (int, any, error) {
	v, err := s.freeServer(c.id)
	if err != nil {
		return 0, nil, err
	}
	return s.acted(s.setting(v, "detach_iso", func() { v.iso = nil }))
}
