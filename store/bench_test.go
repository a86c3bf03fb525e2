package store

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"reprise/store/drv"
	"reprise/store/storepath"
)

// bareInfos places n small files and returns what registers them.
func bareInfos(b *testing.B, s *Store, n int) []Info {
	infos := make([]Info, n)
	for i := range infos {
		p, err := storepath.MakeText(fmt.Sprint("bare-", b.N, "-", i), fmt.Append(nil, b.Elapsed(), i), nil)
		must(b, err)
		must(b, os.WriteFile(s.Real(p), []byte("x"), 0o444))
		infos[i] = Info{Path: p, NarHash: [32]byte{1}, NarSize: 1}
	}
	return infos
}

func benchStore(b *testing.B) *Store {
	root := b.TempDir()
	b.Cleanup(func() { RemoveAll(root) })
	return openStore(b, root)
}

// BenchmarkRegister measures 400 registrations, each its own call.
func BenchmarkRegister(b *testing.B) {
	for _, workers := range []int{1, 4, 400} {
		b.Run(fmt.Sprint(workers, "-at-once"), func(b *testing.B) {
			s := benchStore(b)
			for b.Loop() {
				b.StopTimer()
				infos := bareInfos(b, s, 400)
				b.StartTimer()
				work := make(chan Info)
				var group sync.WaitGroup
				for range workers {
					group.Go(func() {
						for info := range work {
							if err := s.Register(b.Context(), info); err != nil {
								b.Error(err)
							}
						}
					})
				}
				for _, info := range infos {
					work <- info
				}
				close(work)
				group.Wait()
			}
		})
	}
}

func BenchmarkAddDerivations(b *testing.B) {
	s := benchStore(b)
	for n := 0; b.Loop(); n++ {
		var h drv.Hasher
		ds := make([]*drv.Derivation, 1000)
		for i := range ds {
			ds[i] = sampleDrv(b, &h, fmt.Sprint("d", n, "-", i))
		}
		if _, err := s.AddDerivations(b.Context(), ds...); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	s := benchStore(b)
	for b.Loop() {
		again, err := Open(b.Context(), s.Root())
		if err != nil {
			b.Fatal(err)
		}
		again.Close()
	}
}
