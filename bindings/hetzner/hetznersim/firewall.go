package hetznersim

import (
	"slices"
)

// firewall is a set of rules and what it is applied to. It filters nothing:
// rules are kept and answered.
type firewall struct {
	head
	rules     []rule
	servers   []int64
	selectors []string
	busy      int
}

type rule struct {
	Direction      string   `json:"direction"`
	SourceIPs      []string `json:"source_ips"`
	DestinationIPs []string `json:"destination_ips"`
	Protocol       string   `json:"protocol"`
	Port           *string  `json:"port"`
	Description    *string  `json:"description"`
}

// appliance is what a firewall is applied to, in requests.
type appliance struct {
	Type   string `json:"type"`
	Server struct {
		ID int64 `json:"id"`
	} `json:"server"`
	LabelSelector struct {
		Selector string `json:"selector"`
	} `json:"label_selector"`
}

func (f *firewall) resource() resource { return resource{f.id, "firewall"} }

// covers lists the servers that a selector matches.
func (s *Sim) covers(text string) []int64 {
	match, err := parseSelector(text)
	if err != nil {
		return nil // selectors were checked when they came in
	}
	list := []int64{}
	for _, v := range inOrder(s.servers) {
		if match(v.labels) {
			list = append(list, v.id)
		}
	}
	return list
}

func serverTarget(id int64) obj { return obj{"type": "server", "server": obj{"id": id}} }

func (s *Sim) firewallView(f *firewall) obj {
	applied := []obj{}
	for _, id := range f.servers {
		applied = append(applied, serverTarget(id))
	}
	for _, text := range f.selectors {
		selected := []obj{}
		for _, id := range s.covers(text) {
			selected = append(selected, serverTarget(id))
		}
		applied = append(applied, obj{
			"type": "label_selector", "label_selector": obj{"selector": text}, "applied_to_resources": selected,
		})
	}
	return obj{
		"id": f.id, "name": f.name, "labels": shown(f.labels), "created": stamp(f.created),
		"rules": f.rules, "applied_to": applied,
	}
}

// firewallsOf lists the firewalls on a server, as servers show them.
func (s *Sim) firewallsOf(v *server) []obj {
	list := []obj{}
	for _, f := range inOrder(s.firewalls) {
		selected := slices.ContainsFunc(f.selectors, func(text string) bool { return slices.Contains(s.covers(text), v.id) })
		if selected || slices.Contains(f.servers, v.id) {
			list = append(list, obj{"id": f.id, "status": "applied"})
		}
	}
	return list
}

func (s *Sim) listFirewalls(c *call) (int, any, error) {
	return listing(c, "firewalls", inOrder(s.firewalls), s.firewallView)
}

func (s *Sim) getFirewall(c *call) (int, any, error) {
	f := s.firewalls[c.id]
	if f == nil {
		return 0, nil, notFound("firewall", c.id)
	}
	return 200, obj{"firewall": s.firewallView(f)}, nil
}

func checkRules(rules []rule) error {
	for i, r := range rules {
		switch {
		case r.Direction != "in" && r.Direction != "out":
			return invalid("rules", "direction must be in or out")
		case !slices.Contains([]string{"tcp", "udp", "icmp", "esp", "gre"}, r.Protocol):
			return invalid("rules", "%q is not a protocol", r.Protocol)
		case (r.Protocol == "tcp" || r.Protocol == "udp") && r.Port == nil:
			return invalid("rules", "port must be given for %s", r.Protocol)
		}
		rules[i].SourceIPs = listed(r.SourceIPs)
		rules[i].DestinationIPs = listed(r.DestinationIPs)
	}
	return nil
}

func (s *Sim) createFirewall(c *call) (int, any, error) {
	var asked struct {
		Name    string            `json:"name"`
		Labels  map[string]string `json:"labels"`
		Rules   []rule            `json:"rules"`
		ApplyTo []appliance       `json:"apply_to"`
	}
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	if asked.Name == "" {
		return 0, nil, invalid("name", "must be given")
	}
	if used(inOrder(s.firewalls), asked.Name, 0) {
		return 0, nil, taken("firewall")
	}
	if err := checkLabels(asked.Labels); err != nil {
		return 0, nil, err
	}
	if err := checkRules(asked.Rules); err != nil {
		return 0, nil, err
	}
	f := &firewall{rules: listed(asked.Rules)}
	if err := s.checkAppliances(f, asked.ApplyTo); err != nil {
		return 0, nil, err
	}
	f.head = s.newHead(asked.Name, asked.Labels)
	s.firewalls[f.id] = f
	actions := s.apply(f, asked.ApplyTo)
	return 201, obj{"firewall": s.firewallView(f), "actions": s.actionViews(actions)}, nil
}

func (s *Sim) checkAppliances(f *firewall, to []appliance) error {
	for _, one := range to {
		switch one.Type {
		case "server":
			if s.servers[one.Server.ID] == nil {
				return &problem{status: 404, code: "firewall_resource_not_found", message: "firewall resource not found"}
			}
			if slices.Contains(f.servers, one.Server.ID) {
				return refused("firewall_already_applied", "firewall is already applied to the resource")
			}
		case "label_selector":
			if _, err := parseSelector(one.LabelSelector.Selector); err != nil || one.LabelSelector.Selector == "" {
				return invalid("label_selector", "is not a label selector")
			}
		default:
			return invalid("type", "must be server or label_selector")
		}
	}
	return nil
}

func (s *Sim) apply(f *firewall, to []appliance) []*action {
	var actions []*action
	for _, one := range to {
		on := []resource{f.resource()}
		if one.Type == "server" {
			on = append(on, resource{one.Server.ID, "server"})
		}
		actions = append(actions, s.start(job{
			command: "apply_firewall", on: on, took: s.latency.ApplyFirewall, busy: []*int{&f.busy},
			end: func() {
				if one.Type == "label_selector" {
					f.selectors = append(f.selectors, one.LabelSelector.Selector)
				} else if s.servers[one.Server.ID] != nil && !slices.Contains(f.servers, one.Server.ID) {
					f.servers = append(f.servers, one.Server.ID)
				}
			},
		}))
	}
	return actions
}

func (s *Sim) applyFirewall(c *call) (int, any, error) {
	f := s.firewalls[c.id]
	if f == nil {
		return 0, nil, notFound("firewall", c.id)
	}
	var asked struct {
		ApplyTo []appliance `json:"apply_to"`
	}
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	if err := s.checkAppliances(f, asked.ApplyTo); err != nil {
		return 0, nil, err
	}
	return 201, obj{"actions": s.actionViews(s.apply(f, asked.ApplyTo))}, nil
}

func (s *Sim) removeFirewall(c *call) (int, any, error) {
	f := s.firewalls[c.id]
	if f == nil {
		return 0, nil, notFound("firewall", c.id)
	}
	var asked struct {
		RemoveFrom []appliance `json:"remove_from"`
	}
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	var actions []*action
	for _, one := range asked.RemoveFrom {
		if one.Type == "server" && s.servers[one.Server.ID] == nil {
			return 0, nil, &problem{status: 404, code: "firewall_resource_not_found", message: "firewall resource not found"}
		}
		actions = append(actions, s.start(job{
			command: "remove_firewall", on: []resource{f.resource()}, took: s.latency.ApplyFirewall, busy: []*int{&f.busy},
			end: func() {
				f.servers = slices.DeleteFunc(f.servers, func(id int64) bool { return one.Type == "server" && id == one.Server.ID })
				f.selectors = slices.DeleteFunc(f.selectors, func(text string) bool {
					return one.Type == "label_selector" && text == one.LabelSelector.Selector
				})
			},
		}))
	}
	return 201, obj{"actions": s.actionViews(actions)}, nil
}

func (s *Sim) setFirewallRules(c *call) (int, any, error) {
	f := s.firewalls[c.id]
	if f == nil {
		return 0, nil, notFound("firewall", c.id)
	}
	var asked struct {
		Rules []rule `json:"rules"`
	}
	if err := c.decode(&asked); err != nil {
		return 0, nil, err
	}
	if err := checkRules(asked.Rules); err != nil {
		return 0, nil, err
	}
	a := s.start(job{
		command: "set_firewall_rules", on: []resource{f.resource()}, took: s.latency.ApplyFirewall, busy: []*int{&f.busy},
		end: func() { f.rules = listed(asked.Rules) },
	})
	return 201, obj{"actions": s.actionViews([]*action{a})}, nil
}

func (s *Sim) updateFirewall(c *call) (int, any, error) {
	f := s.firewalls[c.id]
	if f == nil {
		return 0, nil, notFound("firewall", c.id)
	}
	if err := rename(c, &f.head, inOrder(s.firewalls), "firewall"); err != nil {
		return 0, nil, err
	}
	return 200, obj{"firewall": s.firewallView(f)}, nil
}

func (s *Sim) deleteFirewall(c *call) (int, any, error) {
	f := s.firewalls[c.id]
	switch {
	case f == nil:
		return 0, nil, notFound("firewall", c.id)
	case len(f.servers)+len(f.selectors) > 0:
		return 0, nil, refused("resource_in_use", "firewall is still applied to a resource")
	}
	delete(s.firewalls, c.id)
	return 204, nil, nil
}
