package flash

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// A Marker is what a device says while it is being written:
//
//	0     zeros: no boot code, no signature of an MBR, no GPT header
//	1024  "reprise flash: unfinished\n", a JSON object on one line, zeros
//
// It lies in the second half of what may be one sector of 4,096 bytes, beside
// every place of a table in sectors of 512 or of 4,096 bytes.
type Marker struct {
	Version   int    `json:"version"` // 1
	Image     string `json:"image"`   // base name of its file
	SizeBytes int64  `json:"sizeBytes"`
}

const (
	markerAt    = 1024 // bytes
	markerMagic = "reprise flash: unfinished\n"
	// maxMarkerName bounds the image's name, so that the note stays within its
	// block: in JSON a byte takes six at most.
	maxMarkerName = 255 // bytes
)

// encode returns the first bootBytes of a device.
func (m Marker) encode() ([]byte, error) {
	m.Version = 1
	if len(m.Image) > maxMarkerName {
		m.Image = m.Image[:maxMarkerName]
	}
	text, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	block := make([]byte, bootBytes)
	copy(block[markerAt:], markerMagic+string(text)+"\n")
	return block, nil
}

// parseMarker reads a marker out of a device's first bytes.
func parseMarker(block []byte) (Marker, bool) {
	if len(block) < bootBytes {
		return Marker{}, false
	}
	rest, ok := bytes.CutPrefix(block[markerAt:bootBytes], []byte(markerMagic))
	if !ok {
		return Marker{}, false
	}
	line, _, ok := bytes.Cut(rest, []byte("\n"))
	var m Marker
	if !ok || json.Unmarshal(line, &m) != nil || m.Version < 1 || m.SizeBytes < 0 {
		// Ours, and of another version or damaged.
		return Marker{}, true
	}
	return m, true
}

// String says what was being written.
func (m Marker) String() string {
	if m.Image == "" {
		return "an image"
	}
	return fmt.Sprintf("%q (%s)", m.Image, size(m.SizeBytes))
}
