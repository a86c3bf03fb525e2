package installer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"reprise/installer/plan"
	"reprise/store/storepath"
)

// A journal says how far an installation is. It is written in turn to two
// slots at the end of the BIOS boot partition, behind GRUB's core image:
//
//	partition end − 64 KiB   slot 0, 32 KiB
//	partition end − 32 KiB   slot 1
//
//	slot: "reprise-install 1 <SHA-256 of the JSON in hex> <bytes of the JSON>\n" JSON
//
// A slot that a power cut leaves half written has another hash; the other one
// then says how far it was.
type journal struct {
	Plan     string         `json:"plan"`     // Plan.ID
	Sequence int            `json:"sequence"` // counts the writes: the higher one counts
	Done     []plan.Name    `json:"done"`
	System   storepath.Path `json:"system,omitempty"`   // that of generation 1, once it is known
	Host     string         `json:"host,omitempty"`     // Plan.Host, for who finds the machine
	Password string         `json:"password,omitempty"` // passwordDigest
	Finished bool           `json:"finished,omitempty"`
}

// passwordDigest tells one password of a plan from another; "" for none. It
// is no part of Plan.ID, because a password that is typed anew has another salt.
// Nobody guesses the password from it without that salt.
func passwordDigest(p *plan.Plan) string {
	u := p.Answers.User
	if u == nil || u.PasswordHash == "" {
		return ""
	}
	sum := sha256.Sum256([]byte("reprise password 1\x00" + u.PasswordHash))
	return hex.EncodeToString(sum[:])
}

const (
	slotBytes    = 32 << 10
	journalBytes = 2 * slotBytes
	slotHead     = "reprise-install 1 %x %d\n"
)

// encode makes the bytes of a slot.
func (j journal) encode() ([]byte, error) {
	data, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	slot := append(fmt.Appendf(nil, slotHead, sha256.Sum256(data), len(data)), data...)
	if len(slot) > slotBytes {
		return nil, fmt.Errorf("journal of %d bytes: at most %d", len(slot), slotBytes)
	}
	return append(slot, make([]byte, slotBytes-len(slot))...), nil
}

// parseSlot reads a slot; ok is false for whatever encode did not write.
func parseSlot(slot []byte) (j journal, ok bool) {
	head, rest, found := bytes.Cut(slot, []byte{'\n'})
	if !found || len(head) > 200 {
		return j, false
	}
	var sum string
	var size int
	if n, err := fmt.Sscanf(string(head), "reprise-install 1 %64s %d", &sum, &size); n != 2 || err != nil || size < 0 || size > len(rest) {
		return j, false
	}
	want, err := hex.DecodeString(sum)
	if got := sha256.Sum256(rest[:size]); err != nil || !bytes.Equal(want, got[:]) {
		return j, false
	}
	if json.Unmarshal(rest[:size], &j) != nil {
		return journal{}, false
	}
	return j, true
}

// readJournal returns how far an installation, of this plan or of another one,
// is on the disk. A disk without a journal has nothing done.
func (r *run) readJournal(ctx context.Context) journal {
	part := r.Plan.Table.BIOSBoot
	d, err := r.Target.Open(ctx, part.Path, false)
	if err != nil {
		return journal{} // the partition is not there
	}
	defer d.Close()
	var best journal
	for i := range int64(2) {
		slot := make([]byte, slotBytes)
		if _, err := d.ReadAt(slot, part.Bytes()-journalBytes+i*slotBytes); err != nil {
			continue
		}
		if j, ok := parseSlot(slot); ok && j.Sequence > best.Sequence {
			best = j
		}
	}
	return best
}

// note adds a step to the journal.
func (r *run) note(ctx context.Context, step plan.Name) error {
	r.journal.Done = append(r.journal.Done, step)
	return r.writeJournal(ctx)
}

func (r *run) writeJournal(ctx context.Context) (err error) {
	r.journal.Plan = r.Plan.ID
	r.journal.Sequence++
	slot, err := r.journal.encode()
	if err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	part := r.Plan.Table.BIOSBoot
	return r.change(ctx, part.Path, false, func(d Device) error {
		_, err := d.WriteAt(slot, part.Bytes()-journalBytes+int64(r.journal.Sequence%2)*slotBytes)
		return err
	})
}

// change opens a device, lets do write to it and brings that to stable storage.
func (r *run) change(ctx context.Context, path string, exclusive bool, do func(Device) error) (err error) {
	d, err := r.Target.Open(ctx, path, exclusive)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := d.Close(); err == nil {
			err = closeErr
		}
	}()
	if err := do(d); err != nil {
		return err
	}
	return d.Sync()
}
