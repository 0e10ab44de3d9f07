package cloudflaresim

import (
	"fmt"
	"math"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// pageState is result_info.
type pageState struct {
	Page       int `json:"page"`
	PerPage    int `json:"per_page"`
	Count      int `json:"count"`
	TotalCount int `json:"total_count"`
	TotalPages int `json:"total_pages"`
}

// paginate cuts the page out of list that the query asks for; a page after the
// last one is empty, because clients go on until they see one.
func paginate[T any](list []T, q url.Values, perPage, most int) ([]T, *pageState, *problem) {
	page, per := 1, perPage
	for name, to := range map[string]*int{"page": &page, "per_page": &per} {
		if q.Get(name) == "" {
			continue
		}
		n, err := strconv.Atoi(q.Get(name))
		if err != nil || n < 1 {
			return nil, nil, &problem{400, 9200, fmt.Sprintf("Invalid %s parameter.", name)}
		}
		*to = n
	}
	per = min(per, most)
	from := min((page-1)*per, len(list))
	to := min(from+per, len(list))
	return list[from:to], &pageState{Page: page, PerPage: per, Count: to - from, TotalCount: len(list),
		TotalPages: int(math.Ceil(float64(len(list)) / float64(per)))}, nil
}

func (s *Sim) listZones(c *call) (answer, *problem) {
	var found []*zone
	name, status := c.query.Get("name"), c.query.Get("status")
	for _, z := range s.zones {
		if (name == "" || matches(z.name, name)) && (status == "" || status == z.status) {
			found = append(found, z)
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].name < found[j].name })
	found, page, p := paginate(found, c.query, 20, 50)
	if p != nil {
		return answer{}, p
	}
	out := make([]any, 0, len(found))
	for _, z := range found {
		out = append(out, s.wireZone(z))
	}
	return answer{result: out, page: page}, nil
}

// matches understands the vendor's "contains:shop" form beside plain equality.
func matches(value, wanted string) bool {
	wanted = strings.ToLower(wanted)
	value = strings.ToLower(value)
	if rest, ok := strings.CutPrefix(wanted, "contains:"); ok {
		return strings.Contains(value, rest)
	}
	return value == wanted
}

// account is the one that every zone belongs to.
const account = "01a7362d577a6c3019a474fd6f485823"

func (s *Sim) wireZone(z *zone) map[string]any {
	return map[string]any{
		"id": z.id, "name": z.name, "status": z.status, "paused": false, "type": "full", "development_mode": 0,
		"name_servers": Nameservers(), "original_name_servers": nil, "original_registrar": nil, "original_dnshost": nil,
		"modified_on": z.changed, "created_on": z.created, "activated_on": z.activated(),
		"meta":        map[string]any{"step": 2, "custom_certificate_quota": 0, "page_rule_quota": 3, "phishing_detected": false},
		"owner":       map[string]any{"id": account, "name": "drill", "type": "organization"},
		"account":     map[string]any{"id": account, "name": "drill"},
		"permissions": []string{"#dns_records:edit", "#dns_records:read", "#zone:read"},
		"plan": map[string]any{"id": "0feeeeeeeeeeeeeeeeeeeeeeeeeeeeee", "name": "Free Website", "price": 0, "currency": "USD",
			"frequency": "", "is_subscribed": false, "can_subscribe": false, "legacy_id": "free", "legacy_discount": false, "externally_managed": false},
	}
}

// listRecords filters, sorts and cuts. Filters are a field, or a field and a
// predicate ("comment.contains"); match=any makes one of them enough.
func listRecords(z *zone, c *call) (answer, *problem) {
	found := make([]Record, 0, len(z.records))
	for _, r := range z.records {
		if passes(r, c.query) {
			found = append(found, r)
		}
	}
	order := map[string]func(a, b Record) bool{
		"type":    func(a, b Record) bool { return a.Type < b.Type },
		"name":    func(a, b Record) bool { return a.Name < b.Name },
		"content": func(a, b Record) bool { return a.Content < b.Content },
		"ttl":     func(a, b Record) bool { return a.TTL < b.TTL },
		"proxied": func(a, b Record) bool { return !a.Proxied && b.Proxied },
	}[c.query.Get("order")]
	if order != nil {
		if c.query.Get("direction") == "desc" {
			up := order
			order = func(a, b Record) bool { return up(b, a) }
		}
		sort.SliceStable(found, func(i, j int) bool { return order(found[i], found[j]) })
	}
	found, page, p := paginate(found, c.query, 100, 5_000_000)
	if p != nil {
		return answer{}, p
	}
	out := make([]any, 0, len(found))
	for _, r := range found {
		out = append(out, z.wire(r))
	}
	return answer{result: out, page: page}, nil
}

func passes(r Record, q url.Values) bool {
	field := map[string]string{"name": r.Name, "content": r.Content, "comment": r.Comment, "type": r.Type, "proxied": strconv.FormatBool(r.Proxied)}
	asked, met := 0, 0
	for key, values := range q {
		name, predicate, _ := strings.Cut(key, ".")
		value, known := field[name]
		if !known || len(values) == 0 {
			continue
		}
		if name == "name" {
			values = []string{strings.TrimSuffix(values[0], ".")}
		}
		asked++
		if holds(strings.ToLower(value), predicate, strings.ToLower(values[0])) {
			met++
		}
	}
	if q.Get("match") == "any" {
		return asked == 0 || met > 0
	}
	return met == asked
}

func holds(value, predicate, wanted string) bool {
	switch predicate {
	case "contains":
		return strings.Contains(value, wanted)
	case "startswith":
		return strings.HasPrefix(value, wanted)
	case "endswith":
		return strings.HasSuffix(value, wanted)
	case "present":
		return value != ""
	case "absent":
		return value == ""
	}
	return value == wanted
}

// export is the zone in the form of a BIND file, as the vendor writes it.
func (z *zone) export(now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, ";;\n;; Domain:     %s.\n;; Exported:   %s\n;;\n", z.name, now.UTC().Format(time.DateTime))
	fmt.Fprintf(&b, "\n;; SOA Record\n%s\n", soa(z.name, z.serial))
	b.WriteString("\n;; NS Records\n")
	for _, rr := range nsRecords(z.name) {
		fmt.Fprintln(&b, rr)
	}
	for _, kind := range []string{"A", "AAAA", "CAA", "CNAME", "MX", "NS", "PTR", "SRV", "TXT"} {
		title := false
		for _, r := range z.records {
			rr, err := r.rr(r.Name, uint32(r.TTL))
			if r.Type != kind || err != nil {
				continue
			}
			if !title {
				fmt.Fprintf(&b, "\n;; %s Records\n", kind)
				title = true
			}
			fmt.Fprintf(&b, "%s ; cf_tags=cf-proxied:%t %s\n", rr, r.Proxied, strings.ReplaceAll(r.Comment, "\n", " "))
		}
	}
	return b.String()
}

// soa is the start of authority. Its last figure is how long a resolver may
// remember that a name does not exist; figures as the vendor's servers give.
func soa(zone string, serial uint32) *dns.SOA {
	return &dns.SOA{Hdr: dns.RR_Header{Name: dns.Fqdn(zone), Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 1800},
		Ns: "ada." + nameserverZone + ".", Mbox: "dns.cloudflare.com.",
		Serial: serial, Refresh: 10000, Retry: 2400, Expire: 604800, Minttl: 1800}
}
