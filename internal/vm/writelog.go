package vm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A WriteLog is what a disk was asked to write, in the order in which it was
// done, as QEMU's blklogwrites and the kernel's dm-log-writes keep it:
//
//	super   magic u64, version u64 = 1, entries u64, sector bytes u32
//	entry   sector u64, sectors u64, flags u64, bytes u64; then the data
//
// All are little endian; super and head of an entry take a sector each.
// Source: block/blklogwrites.c of QEMU 10.0.
//
// A power cut leaves on a disk all that was written before the last flush, and
// of what came after it any part. [WriteLog.Cut] makes such a disk.
type WriteLog struct {
	Entries []Write
	r       io.ReaderAt
}

// A Write is one entry of a log.
type Write struct {
	Offset, Bytes int64 // on the disk
	Flush         bool  // everything before is on stable storage
	FUA           bool  // this one is, once it is done
	Discard       bool  // Bytes from Offset are no longer needed; there is no data

	End  int64 // where the entry ends in the log, bytes
	data int64 // where its data is in the log
}

const (
	writeLogSector = 512 // bytes, as we tell QEMU
	writeLogMagic  = 0x6a736677736872
	writeLogMost   = 1 << 24 // entries

	flagFlush   = 1
	flagFUA     = 2
	flagDiscard = 4
)

// ReadWriteLog reads the log of size bytes as far as it is whole: one that is
// still written ends anywhere.
func ReadWriteLog(r io.ReaderAt, size int64) (*WriteLog, error) {
	head := make([]byte, writeLogSector)
	if _, err := r.ReadAt(head, 0); err != nil {
		return nil, fmt.Errorf("read the log of writes: %w", err)
	}
	le := binary.LittleEndian
	if magic, version, sector := le.Uint64(head), le.Uint64(head[8:]), le.Uint32(head[24:]); magic != writeLogMagic || version != 1 || sector != writeLogSector {
		return nil, fmt.Errorf("read the log of writes: magic %#x, version %d, sectors of %d bytes: want %#x, 1 and %d", magic, version, sector, uint64(writeLogMagic), writeLogSector)
	}
	log := &WriteLog{r: r}
	for at := int64(writeLogSector); at+writeLogSector <= size; {
		if _, err := r.ReadAt(head[:32], at); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("read the log of writes: %w", err)
		}
		sector, count, flags := le.Uint64(head), le.Uint64(head[8:]), le.Uint64(head[16:])
		const most = 1 << 50 / writeLogSector
		if sector > most || count > most || len(log.Entries) == writeLogMost {
			return nil, fmt.Errorf("read the log of writes: entry %d at byte %d has sector %d and %d sectors", len(log.Entries), at, sector, count)
		}
		w := Write{Offset: int64(sector) * writeLogSector, Bytes: int64(count) * writeLogSector,
			Flush: flags&flagFlush != 0, FUA: flags&flagFUA != 0, Discard: flags&flagDiscard != 0, data: at + writeLogSector}
		w.End = w.data
		if !w.Discard {
			w.End += w.Bytes
		}
		if w.End > size {
			break
		}
		log.Entries = append(log.Entries, w)
		at = w.End
	}
	return log, nil
}

// Before counts the entries that were whole when the log had size bytes.
func (l *WriteLog) Before(size int64) int {
	for i, w := range l.Entries {
		if w.End > size {
			return i
		}
	}
	return len(l.Entries)
}

// Cut writes to disk, which holds what it held when the log began, what a
// power cut after n entries leaves. keep is asked for each write that no flush
// vouches for how many of its sectors have reached the disk; they are its
// first ones. It returns how many writes lost any.
func (l *WriteLog) Cut(disk io.WriterAt, n int, keep func(sectors int64) int64) (lost int, err error) {
	safe := 0
	for i, w := range l.Entries[:n] {
		if w.Flush {
			safe = i + 1
		}
	}
	buffer := make([]byte, 1<<20)
	for i, w := range l.Entries[:n] {
		length := w.Bytes
		if i >= safe && !w.FUA {
			if length = keep(w.Bytes/writeLogSector) * writeLogSector; length < w.Bytes {
				lost++
			}
		}
		// What was discarded may be read as it was: nothing is written for it.
		if w.Discard {
			continue
		}
		for done := int64(0); done < length; {
			part := buffer[:min(int64(len(buffer)), length-done)]
			if _, err := l.r.ReadAt(part, w.data+done); err != nil {
				return lost, fmt.Errorf("read the log of writes: %w", err)
			}
			if _, err := disk.WriteAt(part, w.Offset+done); err != nil {
				return lost, err
			}
			done += int64(len(part))
		}
	}
	return lost, nil
}
