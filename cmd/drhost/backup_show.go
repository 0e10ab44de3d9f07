package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// records are the elements of a list of plain data.
func records(v any) []map[string]any {
	list, _ := v.([]any)
	out := make([]map[string]any, 0, len(list))
	for _, x := range list {
		if one, ok := x.(map[string]any); ok {
			out = append(out, one)
		}
	}
	return out
}

func word(v any) string {
	switch v := v.(type) {
	case nil:
		return "-"
	case float64:
		return fmt.Sprintf("%.0f", v)
	case []any:
		var words []string
		for _, x := range v {
			words = append(words, word(x))
		}
		return strings.Join(words, ", ")
	case map[string]any:
		var words []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			words = append(words, name+" "+word(v[name]))
		}
		return strings.Join(words, ", ")
	case string:
		return clean(v)
	}
	return fmt.Sprint(v)
}

// clean keeps what comes out of a repository from moving a terminal's cursor.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			return '\uFFFD'
		}
		return r
	}, text)
}

func size(v any) string {
	bytes, _ := v.(float64)
	for _, unit := range []string{"B", "kB", "MB", "GB"} {
		if bytes < 1000 {
			return strings.TrimSuffix(fmt.Sprintf("%.1f", bytes), ".0") + " " + unit
		}
		bytes /= 1000
	}
	return fmt.Sprintf("%.1f TB", bytes)
}

// table writes rows under a head.
func table(w io.Writer, head string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.ReplaceAll(head, " ", "\t"))
	for _, row := range rows {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

func showBackup(w io.Writer, v any) error { return showBackups(w, []any{v}) }

func showBackups(w io.Writer, v any) error {
	var rows [][]string
	for _, b := range records(v) {
		state := "not verified"
		if b["verified"] != nil {
			state = "verified " + word(b["verified"])
		}
		if b["damaged"] != nil {
			state = "DAMAGED: " + word(b["damaged"])
		}
		rows = append(rows, []string{word(b["id"]), word(b["database"]), word(b["kind"]), word(b["data_until"]), size(b["bytes"]), state})
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintln(w, "there are no backups")
		return err
	}
	return table(w, "ID OF KIND DATA-UNTIL SIZE STATE", rows)
}

// showFields writes a record, a field on each line.
func showFields(w io.Writer, v any) error {
	one, _ := v.(map[string]any)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, name := range slices.Sorted(maps.Keys(one)) {
		text := word(one[name])
		if name == "bytes" {
			text = size(one[name])
		}
		if text != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, text)
		}
	}
	return t.Flush()
}

func showPruned(w io.Writer, v any) error {
	one, _ := v.(map[string]any)
	var rows [][]string
	for _, fate := range []struct{ field, name string }{{"deleted", "deleted"}, {"kept", "kept"}} {
		name := fate.name
		if fate.field == "deleted" && one["dry_run"] == true {
			name = "would go"
		}
		for _, b := range records(one[fate.field]) {
			rows = append(rows, []string{name, word(b["id"]), word(b["database"]), word(b["data_until"]), size(b["bytes"]), word(b["why"])})
		}
	}
	if err := table(w, "FATE ID OF DATA-UNTIL SIZE WHY", rows); err != nil {
		return err
	}
	for _, text := range asList(one["skipped"]) {
		fmt.Fprintln(w, "left alone:", word(text))
	}
	_, err := fmt.Fprintf(w, "%s in all\n", size(one["bytes"]))
	return err
}

func asList(v any) []any {
	list, _ := v.([]any)
	return list
}

func showStatus(w io.Writer, v any) error {
	var rows [][]string
	var notes []string
	for _, x := range records(v) {
		state := "ok"
		switch {
		case x["exceeded"] == true:
			state = "EXCEEDED"
		case x["endangered"] == true:
			state = "endangered"
		case x["rpo"] == nil:
			state = "no objective"
		}
		rows = append(rows, []string{word(x["database"]), word(x["tier"]), word(x["kind"]), word(x["age"]), word(x["rpo"]), word(x["worst"]), state, word(x["verified"])})
		for _, text := range asList(x["alarms"]) {
			notes = append(notes, "ALARM: "+word(x["database"])+": "+word(text))
		}
		for _, text := range asList(x["notes"]) {
			notes = append(notes, word(x["database"])+": "+word(text))
		}
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintln(w, "there are no backups")
		return err
	}
	err := table(w, "OF TIER FROM AGE RPO WORST STATE VERIFIED", rows)
	for _, text := range notes {
		fmt.Fprintln(w, text)
	}
	return err
}

func showContacts(w io.Writer, v any, form string) error {
	one, _ := v.(map[string]any)
	var columns []string
	for _, c := range asList(one["columns"]) {
		columns = append(columns, fmt.Sprint(c))
	}
	var rows [][]string
	for _, r := range records(one["rows"]) {
		var row []string
		for _, c := range columns {
			text, _ := r[c].(string)
			if form != "csv" {
				text = word(r[c])
			}
			row = append(row, text)
		}
		rows = append(rows, row)
	}
	if form != "csv" {
		return table(w, strings.Join(columns, " "), rows)
	}
	out := csv.NewWriter(w)
	return out.WriteAll(append([][]string{columns}, rows...))
}

// completeBackups completes ids: of what is in the repository no more is known
// without asking it, and completing must not make runs.
func (a *app) completeBackups(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveNoFileComp
}
