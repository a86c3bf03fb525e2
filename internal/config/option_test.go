package config

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOptionsAreTheFieldsOfConfig holds that each option sets one field and
// each field is set by one option.
func TestOptionsAreTheFieldsOfConfig(t *testing.T) {
	var fields []string
	var walk func(name string, typ reflect.Type)
	walk = func(name string, typ reflect.Type) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			if !f.IsExported() {
				continue
			}
			at := strings.TrimPrefix(name+"."+f.Tag.Get("json"), ".")
			switch {
			case freeNames[at].ok != nil:
				walk(at+".<>", f.Type.Elem())
			case f.Type.Kind() == reflect.Struct:
				walk(at, f.Type)
			default:
				fields = append(fields, at)
			}
		}
	}
	walk("", reflect.TypeFor[Config]())
	var names []string
	for _, o := range options {
		parts := strings.Split(o.Name, ".")
		for i, p := range parts {
			if strings.HasPrefix(p, "<") {
				parts[i] = "<>"
			}
		}
		names = append(names, strings.Join(parts, "."))
	}
	slices.Sort(fields)
	slices.Sort(names)
	if diff := cmp.Diff(fields, names); diff != "" {
		t.Errorf("fields of Config (-) and options (+) differ:\n%s", diff)
	}
}

// TestOptionsAreWhole holds that an option's default and example are values it
// takes, and that it is documented.
func TestOptionsAreWhole(t *testing.T) {
	for _, o := range options {
		if !strings.HasSuffix(o.Doc, ".") || o.Type == "" || o.Default == "" || o.Example == "" {
			t.Errorf("%s lacks documentation, type, default or example", o.Name)
		}
		if o.value == nil {
			continue
		}
		c := &checker{places: placeIndex{exact: map[string]Place{}, named: map[string]string{}}, bad: map[string]bool{}}
		text, err := json.Marshal(o.value)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatal(err)
		}
		// An empty string as a default means: not set.
		if _, ok := o.kind.check(c, o.Name, v); !ok && v != "" {
			t.Errorf("%s does not take its own default: %v", o.Name, c.problems)
		}
	}
}

func TestExamplesAreGood(t *testing.T) {
	for _, o := range options {
		if strings.Contains(o.Example, "…") || strings.Contains(o.Example, "super") {
			continue
		}
		program := "{ x: " + o.Example + " }"
		answer := evaluateText(t, program)
		if len(answer.Problems) > 0 {
			t.Errorf("%s: example does not evaluate: %v", o.Name, answer.Problems)
			continue
		}
		var object map[string]any
		if err := json.Unmarshal(answer.Value, &object); err != nil {
			t.Fatal(err)
		}
		c := &checker{places: placeIndex{exact: map[string]Place{}, named: map[string]string{}}, bad: map[string]bool{}}
		if _, ok := o.kind.check(c, o.Name, object["x"]); !ok {
			t.Errorf("%s does not take its own example: %v", o.Name, c.problems)
		}
	}
}

func TestFormatsTakeTheirExamples(t *testing.T) {
	for _, f := range []format{
		hostNameFormat, domainFormat, userNameFormat, groupNameFormat, addressFormat, macFormat, prefixFormat, serverFormat, packageFormat, urlFormat,
		kernelParamFormat, moduleFormat, sysctlFormat, localeFormat, charsetLocaleFormat, timeZoneFormat, keyMapFormat,
		absoluteFormat, etcPathFormat, modeFormat, unitFormat, wantedByFormat, pciFormat, wordFormat, wordsFormat, variableFormat, confNameFormat,
		variableValueFormat, deviceFormat, fsTypeFormat, mountOptionFormat, interfaceFormat, limitDomainFormat, limitValueFormat, kernelFormat,
		gecosFormat, textFormat, sysctlValueFormat,
	} {
		if !f.ok(f.example) {
			t.Errorf("format %q refuses its example %q", f.name, f.example)
		}
	}
}

func TestNearestOption(t *testing.T) {
	for key, want := range map[string]string{
		"networking.hostname":            "networking.hostName",
		"networking.useDchp":             "networking.useDHCP",
		"hostName":                       "networking.hostName",
		"systemPackages":                 "environment.systemPackages",
		"musnix.enabled":                 "musnix.enable",
		"musnix.rtirq.namelist":          "musnix.rtirq.nameList",
		"services.ssh.enable":            "services.openssh",
		"users.users.<name>.extragroups": "users.users.<name>.extraGroups",
		"boot.kernelparams":              "boot.kernelParams",
		"security.pam.limits":            "security.pam.loginLimits",
	} {
		parts := strings.Split(key, ".")
		n, name := schema, ""
		for len(parts) > 1 {
			next := n.children[parts[0]]
			if strings.HasPrefix(parts[0], "<") {
				next = n.free
			}
			if next == nil {
				break
			}
			n, name = next, strings.TrimPrefix(name+"."+parts[0], ".")
			parts = parts[1:]
		}
		var got string
		if found := nearest(n, name, parts[0]); len(found) > 0 {
			got = found[0]
		}
		if got != want {
			t.Errorf("nearest to %s is %q, want %q", key, got, want)
		}
	}
}
