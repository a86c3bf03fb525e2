package hwdetect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
)

// Known is a fact that may be not known. The zero value is not known. In JSON
// it is the value, or null.
type Known[T any] struct {
	value T
	known bool
}

// Is returns a known fact.
func Is[T any](v T) Known[T] { return Known[T]{v, true} }

// Get returns the value, and whether it is known.
func (k Known[T]) Get() (T, bool) { return k.value, k.known }

// Known says whether the value is known.
func (k Known[T]) Known() bool { return k.known }

// Or returns the value, or instead when it is not known.
func (k Known[T]) Or(instead T) T {
	if k.known {
		return k.value
	}
	return instead
}

// String is the value for a person, "not known" when it is not.
func (k Known[T]) String() string {
	if !k.known {
		return "not known"
	}
	return fmt.Sprint(k.value)
}

// Equal says whether both are not known or both have the same value.
func (k Known[T]) Equal(other Known[T]) bool { return reflect.DeepEqual(k, other) }

// MarshalJSON writes the value, null when it is not known.
func (k Known[T]) MarshalJSON() ([]byte, error) {
	if !k.known {
		return []byte("null"), nil
	}
	return json.Marshal(k.value)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (k *Known[T]) UnmarshalJSON(data []byte) error {
	*k = Known[T]{}
	if bytes.Equal(bytes.TrimSpace(data), []byte("null")) {
		return nil
	}
	if err := json.Unmarshal(data, &k.value); err != nil {
		return err
	}
	k.known = true
	return nil
}

// IsTrue says whether a fact is known and true.
func IsTrue(k Known[bool]) bool { return k.known && k.value }
