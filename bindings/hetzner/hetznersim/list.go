package hetznersim

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// head is what most resources have.
type head struct {
	id      int64
	name    string
	created time.Time
	labels  map[string]string
}

func (h *head) top() *head { return h }

type headed interface{ top() *head }

// stamp is a moment as the API writes it: whole seconds in UTC.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func compare(a, b string) int { return strings.Compare(a, b) }

// inOrder lists a collection by id, so that answers do not vary.
func inOrder[T any](m map[int64]T) []T {
	list := make([]T, 0, len(m))
	for _, id := range slices.Sorted(maps.Keys(m)) {
		list = append(list, m[id])
	}
	return list
}

// listed is a copy that JSON writes as a list even when there is nothing in it.
func listed[T any](list []T) []T { return append([]T{}, list...) }

// oneOf tells whether a filter lets a value through; no filter lets all.
func oneOf(filter []string, value string) bool {
	return len(filter) == 0 || slices.Contains(filter, value)
}

// listing answers a list: filtered by name and labels, sorted, and cut into
// pages.
func listing[T headed](c *call, key string, all []T, view func(T) obj) (int, any, error) {
	match, err := parseSelector(c.query.Get("label_selector"))
	if err != nil {
		return 0, nil, err
	}
	found := make([]T, 0, len(all))
	for _, one := range all {
		h := one.top()
		if c.query.Has("name") && c.query.Get("name") != h.name {
			continue
		}
		if match(h.labels) {
			found = append(found, one)
		}
	}
	fields := map[string]func(a, b T) int{
		"id":      func(a, b T) int { return int(a.top().id - b.top().id) },
		"name":    func(a, b T) int { return compare(a.top().name, b.top().name) },
		"created": func(a, b T) int { return a.top().created.Compare(b.top().created) },
	}
	if err := order(c, found, fields); err != nil {
		return 0, nil, err
	}
	return page(c, key, found, view)
}

// order sorts by the sort parameters: "field", "field:asc" or "field:desc".
func order[T any](c *call, list []T, fields map[string]func(a, b T) int) error {
	asked := slices.Clone(c.query["sort"])
	slices.Reverse(asked) // the first parameter is the most important: sort by it last
	for _, one := range asked {
		field, direction, _ := strings.Cut(one, ":")
		by, known := fields[field]
		if !known || (direction != "" && direction != "asc" && direction != "desc") {
			return invalid("sort", "cannot sort by %q", one)
		}
		slices.SortStableFunc(list, func(a, b T) int {
			if direction == "desc" {
				return by(b, a)
			}
			return by(a, b)
		})
	}
	return nil
}

// The vendor's pages hold 25 entries, at most 50; more is taken as 50.
const (
	pageSize    = 25
	largestPage = 50
)

func page[T any](c *call, key string, list []T, view func(T) obj) (int, any, error) {
	number, err := c.positive("page", 1)
	if err != nil {
		return 0, nil, err
	}
	size, err := c.positive("per_page", pageSize)
	if err != nil {
		return 0, nil, err
	}
	size = min(size, largestPage)
	last := max(1, (len(list)+size-1)/size)
	from := len(list) // pages beyond the end are empty
	if number <= last {
		from = (number - 1) * size
	}
	views := make([]obj, 0, size)
	for _, one := range list[from:min(len(list), from+size)] {
		views = append(views, view(one))
	}
	turn := obj{
		"page": number, "per_page": size, "previous_page": nil, "next_page": nil,
		"last_page": last, "total_entries": len(list),
	}
	if number > 1 {
		turn["previous_page"] = min(number-1, last)
	}
	if number < last {
		turn["next_page"] = number + 1
	}
	return 200, obj{key: views, "meta": obj{"pagination": turn}}, nil
}

func (c *call) positive(name string, otherwise int) (int, error) {
	text := c.query.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, invalid(name, "must be a number from 1 up")
	}
	return n, nil
}
