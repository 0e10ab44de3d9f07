package words

import "strings"

// Base are the functions and tables of Lua's base library that a script has.
func Base() []string {
	return strings.Fields(`assert error getmetatable ipairs math next pairs pcall rawequal rawget rawset
		select setmetatable string table tonumber tostring type unpack xpcall`)
}

// Library is what the tables string, table and math hold, by table.
func Library() map[string][]string {
	return map[string][]string{
		"string": strings.Fields("byte char find format gmatch gsub len lower match rep reverse sub upper"),
		"table":  strings.Fields("concat insert maxn remove sort"),
		"math": strings.Fields(`abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge ldexp log log10
			max min modf pi pow rad random randomseed sin sinh sqrt tan tanh`),
	}
}

// Absence is a part of Lua that a script does not have, and why.
type Absence struct {
	Names []string
	Why   string
}

// Absent are the parts of Lua that are missing on purpose.
func Absent() []Absence {
	return []Absence{
		{[]string{"io"}, "a runbook touches files only through providers, so that every change is on record"},
		{[]string{"os"}, "a runbook starts no program and reads no clock of its own: run:elapsed() is recorded, and a resumed run sees the same time again"},
		{[]string{"debug"}, "it reaches into the host"},
		{[]string{"package", "module", "dofile", "load", "loadfile", "loadstring"}, "all code of a run is in its sealed source; shared pieces are `std.` modules"},
		{[]string{"coroutine", "channel"}, "a coroutine would not be cancelled with its run; parallel and each run branches"},
		{[]string{"_G", "_ENV", "getfenv", "setfenv"}, "scripts share no globals; use local"},
		{[]string{"_VERSION"}, "the Lua of a run is that of the drhost that runs it, and the journal names it"},
		{[]string{"collectgarbage", "newproxy", "gcinfo"}, "memory is the host's concern"},
		{[]string{"string.dump"}, "there is no code to load"},
		{[]string{"string.gfind"}, "its name is string.gmatch"},
		{[]string{"table.foreach", "table.foreachi"}, "write for key, value in pairs(t) do ... end"},
		{[]string{"table.getn", "table.setn"}, "write #t"},
		{[]string{"math.mod"}, "its name is math.fmod"},
	}
}

// WhyAbsent tells why a script has no global or library function called name.
func WhyAbsent(name string) (why string, ok bool) {
	for _, a := range Absent() {
		for _, n := range a.Names {
			if n == name {
				return a.Why, true
			}
		}
	}
	return "", false
}
