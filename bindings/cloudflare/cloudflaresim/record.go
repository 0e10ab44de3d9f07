package cloudflaresim

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Record is a DNS record as the API holds it. Name is whole, without a final
// dot; TTL 1 means automatic. A Proxied name is answered with an address of
// the vendor's edge.
type Record struct {
	ID         string
	Name       string
	Type       string
	Content    string
	TTL        int
	Proxied    bool
	Priority   uint16 // of MX and SRV
	Comment    string
	Tags       []string
	CreatedOn  time.Time
	ModifiedOn time.Time
}

// wireRecord is the record as it travels.
type wireRecord struct {
	ID         string         `json:"id"`
	ZoneID     string         `json:"zone_id"`
	ZoneName   string         `json:"zone_name"`
	Name       string         `json:"name"`
	Type       string         `json:"type"`
	Content    string         `json:"content"`
	Priority   *uint16        `json:"priority,omitempty"`
	Proxiable  bool           `json:"proxiable"`
	Proxied    bool           `json:"proxied"`
	TTL        int            `json:"ttl"`
	Settings   map[string]any `json:"settings"`
	Meta       map[string]any `json:"meta"`
	Data       map[string]any `json:"data,omitempty"`
	Comment    string         `json:"comment,omitempty"` // absent when there is none
	Tags       []string       `json:"tags"`
	CreatedOn  time.Time      `json:"created_on"`
	ModifiedOn time.Time      `json:"modified_on"`
}

func (z *zone) wire(r Record) wireRecord {
	w := wireRecord{ID: r.ID, ZoneID: z.id, ZoneName: z.name, Name: r.Name, Type: r.Type, Content: r.Content,
		Proxiable: r.proxiable(), Proxied: r.Proxied, TTL: r.TTL, Settings: map[string]any{},
		Meta: map[string]any{"auto_added": false}, Data: r.data(), Comment: r.Comment, Tags: r.Tags, CreatedOn: r.CreatedOn, ModifiedOn: r.ModifiedOn}
	if w.Tags == nil {
		w.Tags = []string{}
	}
	if r.hasPriority() {
		w.Priority = &r.Priority
	}
	return w
}

func (r Record) proxiable() bool   { return r.Type == "A" || r.Type == "AAAA" || r.Type == "CNAME" }
func (r Record) hasPriority() bool { return r.Type == "MX" || r.Type == "SRV" }

// isAddress tells whether the record excludes a CNAME of the same name in the
// vendor's own check.
func (r Record) isAddress() bool { return r.Type == "A" || r.Type == "AAAA" }

// draft is a record as a client sends it. What is absent stays nil; name and
// type may be absent in a PATCH.
type draft struct {
	ID       string          `json:"id"`
	Name     *string         `json:"name"`
	Type     *string         `json:"type"`
	Content  *string         `json:"content"`
	TTL      *int            `json:"ttl"`
	Proxied  *bool           `json:"proxied"`
	Priority *uint16         `json:"priority"`
	Comment  *string         `json:"comment"`
	Tags     []string        `json:"tags"`
	Data     json.RawMessage `json:"data"`
}

// onto lays the draft over r.
func (d draft) onto(r Record) (Record, *problem) {
	set(&r.Name, d.Name)
	set(&r.Type, d.Type)
	set(&r.Content, d.Content)
	set(&r.TTL, d.TTL)
	set(&r.Proxied, d.Proxied)
	set(&r.Priority, d.Priority)
	set(&r.Comment, d.Comment)
	if d.Tags != nil {
		r.Tags = slices.Clone(d.Tags)
	}
	if len(d.Data) > 0 && string(d.Data) != "null" {
		if p := r.fromData(d.Data); p != nil {
			return r, p
		}
	}
	return r, nil
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// fromData reads the structured form of the types that have one.
func (r *Record) fromData(data json.RawMessage) *problem {
	var fields struct {
		Priority uint16 `json:"priority"`
		Weight   uint16 `json:"weight"`
		Port     uint16 `json:"port"`
		Target   string `json:"target"`
		Flags    uint8  `json:"flags"`
		Tag      string `json:"tag"`
		Value    string `json:"value"`
	}
	if err := json.Unmarshal(data, &fields); err != nil {
		return &problem{400, 9101, "data is not valid for this record type."}
	}
	switch strings.ToUpper(r.Type) {
	case "SRV":
		r.Priority = fields.Priority
		r.Content = fmt.Sprintf("%d %d %s", fields.Weight, fields.Port, plainName(fields.Target))
	case "CAA":
		r.Content = fmt.Sprintf("%d %s %q", fields.Flags, fields.Tag, fields.Value)
	}
	return nil
}

// data is the structured form of the types that have one.
func (r Record) data() map[string]any {
	rr, err := r.rr(r.Name, 1)
	if err != nil {
		return nil
	}
	switch rr := rr.(type) {
	case *dns.SRV:
		return map[string]any{"priority": rr.Priority, "weight": rr.Weight, "port": rr.Port, "target": strings.TrimSuffix(rr.Target, ".")}
	case *dns.CAA:
		return map[string]any{"flags": rr.Flag, "tag": rr.Tag, "value": rr.Value}
	}
	return nil
}

// insert prepares r as a new record of z beside the others.
func (s *Sim) insert(z *zone, others []Record, r Record) (Record, *problem) {
	now := s.clock.Now().UTC()
	r.ID, r.CreatedOn, r.ModifiedOn = s.newID("record"), now, now
	if r.TTL == 0 {
		r.TTL = 1
	}
	return s.admitRecord(z, others, r)
}

// admitRecord brings r into its stored form and checks it against others,
// among which r itself (by id) does not count.
func (s *Sim) admitRecord(z *zone, others []Record, r Record) (Record, *problem) {
	r.Type = strings.ToUpper(r.Type)
	r.Name = qualify(r.Name, z.name)
	if slices.Contains([]string{"CNAME", "MX", "NS", "PTR"}, r.Type) {
		r.Content = plainName(r.Content)
	}
	if p := r.check(); p != nil {
		return r, p
	}
	if r.Proxied {
		r.TTL = 1
		s.anycast(r.Name)
	}
	for _, o := range others {
		if o.ID == r.ID || o.Name != r.Name {
			continue
		}
		switch {
		case o.Type == r.Type && o.Content == r.Content && o.Priority == r.Priority:
			if o.TTL == r.TTL && o.Proxied == r.Proxied {
				return r, &problem{400, 81058, "An identical record already exists."}
			}
			return r, &problem{400, 81057, "The record already exists."}
		case r.Type == "CNAME" && (o.isAddress() || o.Type == "CNAME"):
			return r, &problem{400, 81053, "An A, AAAA, or CNAME record with that host already exists."}
		case r.isAddress() && o.Type == "CNAME":
			return r, &problem{400, 81054, "A CNAME record with that host already exists."}
		}
	}
	return r, nil
}

// The vendor's limits: a label, a comment (500 characters on paid plans, 100
// on the free one; the larger is taken), a TTL.
var labelForm = regexp.MustCompile(`^(\*|[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?)$`)

const longestComment, shortestTTL, longestTTL = 500, 60, 86400

// check validates a record by itself.
func (r Record) check() *problem {
	if r.Name == "" || !isName(r.Name) {
		return &problem{400, 9000, "DNS name is invalid."}
	}
	if r.TTL != 1 && (r.TTL < shortestTTL || r.TTL > longestTTL) {
		return &problem{400, 9021, "Invalid TTL. Must be between 60 and 86,400 seconds, or 1 for Automatic."}
	}
	if r.Proxied && !r.proxiable() {
		return &problem{400, 9004, "This record type cannot be proxied."}
	}
	if len(r.Comment) > longestComment {
		return &problem{400, 9213, "DNS record comment is too long."}
	}
	return r.checkContent()
}

func (r Record) checkContent() *problem {
	address, err := netip.ParseAddr(r.Content)
	switch r.Type {
	case "A":
		if err != nil || !address.Is4() {
			return &problem{400, 9005, "Content for A record must be a valid IPv4 address."}
		}
	case "AAAA":
		if err != nil || !address.Is6() || address.Zone() != "" {
			return &problem{400, 9006, "Content for AAAA record must be a valid IPv6 address."}
		}
	case "CNAME":
		if err == nil || !isName(r.Content) || r.Content == r.Name {
			return &problem{400, 9007, "Content for CNAME record is invalid."}
		}
	case "MX":
		if err == nil || !isName(r.Content) {
			return &problem{400, 9009, "Content for MX record must be a hostname."}
		}
	case "NS":
		if err == nil || !isName(r.Content) {
			return &problem{400, 9010, "Content for NS record must be a hostname."}
		}
	case "PTR":
		if err == nil || !isName(r.Content) {
			return &problem{400, 9011, "Content for PTR record must be a hostname."}
		}
	case "TXT":
		if r.Content == "" || len(r.Content) > 2048 {
			return &problem{400, 9012, "Content for TXT record is invalid."}
		}
	case "SRV", "CAA":
		if _, err := r.rr(r.Name, 1); err != nil {
			return &problem{400, 9101, "data is not valid for this record type."}
		}
	default:
		return &problem{400, 9020, "Invalid DNS record type."}
	}
	return nil
}

// rr is the record in the form in which it is served, owned by name.
func (r Record) rr(name string, ttl uint32) (dns.RR, error) {
	head := fmt.Sprintf("%s %d IN %s ", dns.Fqdn(name), ttl, r.Type)
	switch r.Type {
	case "CNAME", "NS", "PTR":
		return dns.NewRR(head + dns.Fqdn(r.Content))
	case "MX":
		return dns.NewRR(head + fmt.Sprintf("%d %s", r.Priority, dns.Fqdn(r.Content)))
	case "SRV":
		return dns.NewRR(head + fmt.Sprintf("%d %s", r.Priority, dns.Fqdn(r.Content)))
	case "TXT":
		return &dns.TXT{Hdr: dns.RR_Header{Name: dns.Fqdn(name), Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: ttl},
			Txt: chunks(strings.Trim(r.Content, `"`))}, nil
	}
	return dns.NewRR(head + r.Content)
}

// chunks cuts text into the strings of at most 255 bytes that a TXT record holds.
func chunks(text string) []string {
	var out []string
	for len(text) > 255 {
		out, text = append(out, text[:255]), text[255:]
	}
	return append(out, text)
}

// qualify makes a name whole: clients may send "www", "@" or the whole name.
func qualify(name, zone string) string {
	name = plainName(name)
	switch {
	case name == "" || name == "@" || name == zone:
		return zone
	case strings.HasSuffix(name, "."+zone):
		return name
	}
	return name + "." + zone
}

// plainName is lower-case without a final dot.
func plainName(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

func isName(name string) bool {
	if len(name) > 253 {
		return false
	}
	for i, label := range strings.Split(name, ".") {
		if !labelForm.MatchString(label) || (label == "*" && i > 0) {
			return false
		}
	}
	return true
}
