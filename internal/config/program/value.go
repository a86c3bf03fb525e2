package program

import (
	"fmt"
	"strconv"
)

func Describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return fmt.Sprint(v)
	case float64:
		return Number(v)
	case string:
		return Shorten(v)
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	panic(fmt.Sprintf("JSON value of type %T", v))
}

// Number writes a JSON number without needless digits.
func Number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// Shorten quotes a string, cut where it is long.
func Shorten(s string) string {
	const longest = 60
	if runes := []rune(s); len(runes) > longest {
		return strconv.Quote(string(runes[:longest]) + "…")
	}
	return strconv.Quote(s)
}
