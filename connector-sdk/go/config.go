package onefold

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// field is one key of a configuration.
type field struct {
	name string
	// index is its place in the struct.
	index int
	kind  reflect.Type
	// choices are the only texts that it may have, when there are any.
	choices []string
	// preset is what it is without a value, when it is not required.
	preset   string
	required bool
}

// ParseConfig reads a configuration from its JSON text into a struct. A field's key is its json tag; what it is without
// a value is its default tag (a text as it is, anything else as JSON), and a field with neither a default nor a pointer
// type is required. An enum tag, such as enum:"a,b", lists all that a text may be. Values beyond type and presence are
// checked by the hub, against config.schema.json. It fails with ClassConfig, code config.invalid, and a message that
// names the key and what was expected.
func ParseConfig[C any](text string) (C, error) {
	var config C
	target := reflect.ValueOf(&config).Elem()
	if target.Kind() != reflect.Struct {
		return config, PermanentError("config.type", "the configuration's type is no struct")
	}
	keys, values, err := members(text)
	if err != nil {
		return config, err
	}
	fields := fieldsOf(target.Type())
	for _, key := range keys {
		at := slices.IndexFunc(fields, func(one field) bool { return one.name == key })
		if at < 0 {
			return config, invalid("unknown field `" + key + "`, expected one of " + known(fields))
		}
		if !fields[at].fits(values[key]) {
			message := "`config." + key + "`: " + spaced(values[key]) + " is not " + fields[at].expected()
			return config, ConfigError("config.invalid", message)
		}
	}
	for _, one := range fields {
		if err := one.set(target.Field(one.index), values); err != nil {
			return config, err
		}
	}
	return config, nil
}

func invalid(reason string) *Error {
	return ConfigError("config.invalid", "in the configuration: "+reason)
}

// members gives an object's keys in their order, and the value of each as it was written.
func members(text string) ([]string, map[string]json.RawMessage, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil, nil
	}
	var whole json.RawMessage
	if err := json.Unmarshal([]byte(text), &whole); err != nil {
		return nil, nil, invalid(err.Error())
	}
	if bytes.TrimSpace(whole)[0] != '{' {
		return nil, nil, invalid("an object was expected")
	}
	var keys []string
	values := map[string]json.RawMessage{}
	decoder := json.NewDecoder(bytes.NewReader(whole))
	_, err := decoder.Token()
	for err == nil && decoder.More() {
		var token json.Token
		token, err = decoder.Token()
		key, _ := token.(string)
		var value json.RawMessage
		if err == nil {
			err = decoder.Decode(&value)
		}
		if _, there := values[key]; !there {
			keys = append(keys, key)
		}
		values[key] = value
	}
	if err != nil {
		return nil, nil, invalid(err.Error())
	}
	return keys, values, nil
}

func fieldsOf(kind reflect.Type) []field {
	var fields []field
	for index := range kind.NumField() {
		one := kind.Field(index)
		if !one.IsExported() {
			continue
		}
		name, _, _ := strings.Cut(one.Tag.Get("json"), ",")
		if name == "" {
			name = one.Name
		}
		preset, optional := one.Tag.Lookup("default")
		found := field{name: name, index: index, kind: one.Type, preset: preset}
		found.required = !optional && one.Type.Kind() != reflect.Pointer
		if choices := one.Tag.Get("enum"); choices != "" {
			found.choices = strings.Split(choices, ",")
		}
		fields = append(fields, found)
	}
	return fields
}

func known(fields []field) string {
	var names []string
	for _, one := range fields {
		names = append(names, "`"+one.name+"`")
	}
	return strings.Join(names, ", ")
}

func (f field) fits(value json.RawMessage) bool {
	if !fits(value, f.kind) {
		return false
	}
	given, isText := stringOf(value)
	return f.choices == nil || string(value) == "null" || isText && slices.Contains(f.choices, given)
}

func fits(value json.RawMessage, kind reflect.Type) bool {
	free := kind.Kind() == reflect.Interface || kind == reflect.TypeFor[json.RawMessage]()
	if free || string(value) == "null" {
		return free || kind.Kind() == reflect.Pointer
	}
	if kind.Kind() != reflect.Slice {
		return json.Unmarshal(value, reflect.New(kind).Interface()) == nil
	}
	var elements []json.RawMessage
	if json.Unmarshal(value, &elements) != nil {
		return false
	}
	return !slices.ContainsFunc(elements, func(one json.RawMessage) bool { return !fits(one, kind.Elem()) })
}

// expected names what would fit.
func (f field) expected() string {
	if f.choices != nil {
		return "one of " + strings.Join(f.choices, ", ")
	}
	return nameOf(f.kind)
}

func nameOf(kind reflect.Type) string {
	switch kind.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "a boolean"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Pointer:
		return nameOf(kind.Elem()) + " or null"
	case reflect.Slice:
		return "a list, each " + nameOf(kind.Elem())
	case reflect.Map, reflect.Struct:
		return "an object"
	default:
		return "an integer"
	}
}

// set gives the field its value or what it is without one.
func (f field) set(target reflect.Value, values map[string]json.RawMessage) error {
	value, given := values[f.name]
	switch {
	case given:
	case f.required:
		return invalid("missing field `" + f.name + "`")
	case f.preset != "" && f.kind.Kind() == reflect.String:
		target.SetString(f.preset)
		return nil
	case f.preset != "":
		value = json.RawMessage(f.preset)
	default:
		return nil
	}
	if err := json.Unmarshal(value, target.Addr().Interface()); err != nil {
		return PermanentError("config.type", "the default of `"+f.name+"`: "+err.Error())
	}
	return nil
}
