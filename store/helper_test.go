package store

import (
	"context"
	"testing"
)

// testContext is tb.Context, also in clean-up functions, where that is
// cancelled already.
func testContext(tb testing.TB) context.Context {
	if ctx := tb.Context(); ctx.Err() == nil {
		return ctx
	}
	return context.WithoutCancel(tb.Context())
}
