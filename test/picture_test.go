package test

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"image"
	"image/color"
	"image/png"
	"slices"
	"testing"
	"time"

	"reprise/internal/vm"
)

// pictured waits until the machine's screen, a text console, shows all of texts.
func pictured(t *testing.T, m *vm.Machine, texts ...string) {
	t.Helper()
	deadline := time.Now().Add(screenLimit)
	for {
		data, err := m.Screen(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		picture, err := png.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		err = spells(picture, texts...)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the screen: %v", err)
		}
		time.Sleep(time.Second)
	}
}

// Cells of a text console, in pixels: those of a frame buffer with the kernel's
// font are 8 wide, those of VGA's text mode 9.
var cellWidths = []int{8, 9}

const cellHeight = 16

// spells holds that a picture of a text console shows texts, each on one line.
// It knows no font: like a cipher, each letter has to be one shape wherever it
// is, each shape one letter, and a space has to be nothing.
func spells(picture image.Image, texts ...string) error {
	bounds := picture.Bounds()
	var errs []error
	for _, width := range cellWidths {
		if bounds.Dx()%width != 0 || bounds.Dx() == 0 || bounds.Dy()%cellHeight != 0 {
			continue
		}
		c := cipher{letters: map[shape]rune{}, shapes: map[rune]shape{}}
		blank := true
		for y := bounds.Min.Y; y < bounds.Max.Y; y += cellHeight {
			var row []shape
			for x := bounds.Min.X; x < bounds.Max.X; x += width {
				s := shapeOf(picture, image.Rect(x, y, x+width, y+cellHeight))
				blank = blank && s == 0
				row = append(row, s)
			}
			c.rows = append(c.rows, row)
		}
		if blank {
			return errors.New("nothing is written there")
		}
		if c.solve(texts) {
			return nil
		}
		errs = append(errs, fmt.Errorf("no %d×%d cells of it spell %q", len(c.rows[0]), len(c.rows), texts))
	}
	if errs == nil {
		return fmt.Errorf("%d×%d pixels are no text console", bounds.Dx(), bounds.Dy())
	}
	return errors.Join(errs...)
}

// A shape stands for what is drawn in a cell, whatever the colours; 0 is nothing.
type shape uint64

func shapeOf(picture image.Image, cell image.Rectangle) shape {
	paper := color.RGBAModel.Convert(picture.At(cell.Min.X, cell.Min.Y))
	ink := make([]byte, 0, cell.Dx()*cell.Dy())
	for y := cell.Min.Y; y < cell.Max.Y; y++ {
		for x := cell.Min.X; x < cell.Max.X; x++ {
			dot := byte(0)
			if color.RGBAModel.Convert(picture.At(x, y)) != paper {
				dot = 1
			}
			ink = append(ink, dot)
		}
	}
	if !slices.Contains(ink, 1) {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write(ink)
	return shape(h.Sum64())
}

// cipher is what of a screen is understood.
type cipher struct {
	rows    [][]shape
	letters map[shape]rune
	shapes  map[rune]shape
}

// solve finds a place for each text.
func (c *cipher) solve(texts []string) bool {
	if len(texts) == 0 {
		return true
	}
	text := []rune(texts[0])
	for _, row := range c.rows {
		for at := 0; at+len(text) <= len(row); at++ {
			learnt, ok := c.read(row[at:], text)
			if ok && c.solve(texts[1:]) {
				return true
			}
			for _, r := range learnt {
				delete(c.letters, c.shapes[r])
				delete(c.shapes, r)
			}
		}
	}
	return false
}

// read takes the cells for text, if that contradicts nothing, and returns the
// letters that were learnt.
func (c *cipher) read(cells []shape, text []rune) (learnt []rune, ok bool) {
	for i, r := range text {
		s := cells[i]
		known, has := c.shapes[r]
		_, taken := c.letters[s]
		switch {
		case (r == ' ') != (s == 0), has && known != s, !has && taken:
			return learnt, false
		case r != ' ' && !has:
			c.shapes[r], c.letters[s] = s, r
			learnt = append(learnt, r)
		}
	}
	return learnt, true
}

// TestSpells reads a screen in a font that nobody has seen.
func TestSpells(t *testing.T) {
	screen := func(width int, lines ...string) image.Image {
		picture := image.NewPaletted(image.Rect(0, 0, 80*width, 25*cellHeight), color.Palette{color.Black, color.White, color.RGBA{0, 0, 128, 255}})
		for y, line := range lines {
			for x, r := range line {
				for bit := range 21 {
					if r != ' ' && r*1237>>bit&1 == 1 { // its own pattern for each letter
						picture.SetColorIndex(x*width+1+bit%7, y*cellHeight+4+bit/7, uint8(1+y%2))
					}
				}
			}
		}
		return picture
	}
	texts := []string{"Install reprise", "Enter go on"}
	for _, test := range []struct {
		name   string
		screen image.Image
		want   bool
	}{
		{"frame buffer", screen(8, " Install reprise", "", "  Enter go on   q quit"), true},
		{"VGA", screen(9, "Install reprise", "", "Enter go on"), true},
		{"another word", screen(8, "Install reprieve", "", "Enter go on"), false},
		{"another line", screen(8, "Install reprise", "", "Entry go on"), false},
		{"one of two", screen(8, "Install reprise"), false},
		{"a blank amid a word", screen(8, "Install reprise", "", "E ter go on"), false},
		{"nothing", screen(8), false},
		{"no console", image.NewGray(image.Rect(0, 0, 1023, 767)), false},
	} {
		if err := spells(test.screen, texts...); (err == nil) != test.want {
			t.Errorf("%s: %v, want that it is found: %t", test.name, err, test.want)
		}
	}
}
