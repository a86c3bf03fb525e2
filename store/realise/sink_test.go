package realise

import (
	"sync"

	"reprise/internal/progress"
)

// order is a Sink that keeps the order in which builds begin.
type order struct {
	mu    sync.Mutex
	names []string
}

func (o *order) Start(string, progress.Unit, int64) progress.Task { return o }
func (o *order) Note(string, ...any)                              {}
func (o *order) Add(int64)                                        {}
func (o *order) SetTotal(int64)                                   {}
func (o *order) Done(error)                                       {}
func (o *order) Detail(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.names = append(o.names, name)
}
