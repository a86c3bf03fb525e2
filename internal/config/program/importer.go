package program

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/google/go-jsonnet"

	"reprise/internal/diag"
	"reprise/profiles"
)

// libraryPrefix is what an import of the built-in library starts with.
const libraryPrefix = "reprise/"

// BuiltinName is how problems name a file of the built-in library. No file of
// a user is named so.
func BuiltinName(rel string) string { return "<reprise>/" + rel }

// An importer reads the files of one evaluation: those below the directory of
// the configuration, and the built-in library. It remembers every answer, as
// go-jsonnet asks.
type importer struct {
	root  *os.Root // directory of the configuration; nil for a built-in profile
	shown string   // that directory as the user named it

	main     string // shown name of the configuration
	mainFile string // the file itself; "" for a built-in profile

	own map[string]jsonnet.Contents // programs of ours, by the names that only marked programs import

	rel      map[string]string // shown name → path below root, for what was read there
	contents map[string]jsonnet.Contents
	size     int
	problems map[string]diag.Problem // by the error text that go-jsonnet carries
}

// newImporter opens the directory of a configuration file, or takes file for
// the shown name of a built-in profile.
func newImporter(file string, builtin bool) (*importer, error) {
	im := &importer{
		main:     file,
		own:      map[string]jsonnet.Contents{freshName: jsonnet.MakeContents(freshProgram), sizeName: jsonnet.MakeContents(sizeProgram)},
		rel:      map[string]string{},
		contents: map[string]jsonnet.Contents{},
		problems: map[string]diag.Problem{},
	}
	if builtin {
		return im, nil
	}
	im.mainFile, im.shown = file, filepath.Dir(file)
	root, err := os.OpenRoot(im.shown)
	if err != nil {
		return nil, err
	}
	im.root = root
	im.rel[file] = filepath.Base(file)
	return im, nil
}

// Import implements jsonnet.Importer. importedFrom is a shown name, or ""
// for our own program around the configuration.
func (im *importer) Import(importedFrom, imported string) (jsonnet.Contents, string, error) {
	if own, ok := im.own[imported]; ok && importedFrom == "" {
		return own, "<std>" + imported, nil
	}
	if importedFrom == "" {
		c, err := im.read(im.main, func() (fs.File, error) {
			if im.mainFile == "" {
				return profiles.Files.Open(strings.TrimPrefix(im.main, BuiltinName("")))
			}
			return os.OpenFile(im.mainFile, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		})
		return c, im.main, err
	}
	refuse := func(got, want, do string) (jsonnet.Contents, string, error) {
		p := diag.Problem{Got: fmt.Sprintf("import %q %s", imported, got), Want: want, Do: do}
		im.problems[p.Got] = p
		return jsonnet.Contents{}, "", errors.New(p.Got)
	}
	if rest, ok := strings.CutPrefix(imported, libraryPrefix); ok {
		return im.library(rest, refuse)
	}
	if path.IsAbs(imported) {
		return refuse("is an absolute path", "a file below the directory of the configuration",
			"copy the file beside the configuration and import it by its relative path")
	}
	from, ok := im.rel[importedFrom]
	if !ok {
		return refuse("is not in the built-in library", "a name that starts with reprise/",
			"write "+libraryPrefix+imported)
	}
	rel := path.Join(path.Dir(filepath.ToSlash(from)), imported)
	if rel == ".." || strings.HasPrefix(rel, "../") {
		return refuse("leads out of the directory of the configuration",
			"a file below the directory of the configuration",
			"move the file below it, or move the configuration up")
	}
	shown := filepath.Join(im.shown, rel)
	c, err := im.read(shown, func() (fs.File, error) {
		return im.root.OpenFile(rel, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	})
	if err != nil {
		var problem diag.Problem
		switch {
		case errors.As(err, &problem):
			return refuse(problem.Got, problem.Want, problem.Do)
		case errors.Is(err, fs.ErrNotExist):
			return refuse("names no file", "a file below the directory of the configuration", "check the spelling: looked for "+shown)
		case strings.Contains(err.Error(), "escapes"):
			return refuse("leads out of the directory of the configuration through a symbolic link",
				"a file below the directory of the configuration", "replace the link by the file")
		}
		return refuse("cannot be read: "+Reason(err), "a readable file", "check its permissions")
	}
	im.rel[shown] = rel
	return c, shown, nil
}

// files lists what was read below root, the configuration itself first.
func (im *importer) files() []string {
	var files []string
	for shown, rel := range im.rel {
		if shown != im.main {
			files = append(files, rel)
		}
	}
	slices.Sort(files)
	if im.mainFile != "" {
		files = slices.Insert(files, 0, im.rel[im.main])
	}
	return slices.Compact(files)
}

func (im *importer) library(rest string, refuse func(got, want, do string) (jsonnet.Contents, string, error)) (jsonnet.Contents, string, error) {
	for _, name := range []string{rest, "lib/" + rest} {
		if !fs.ValidPath(name) {
			break
		}
		c, err := im.read(BuiltinName(name), func() (fs.File, error) { return profiles.Files.Open(name) })
		if err == nil {
			return c, BuiltinName(name), nil
		}
	}
	do := "write one of those names"
	names := libraryFiles()
	if near := diag.Nearest(rest, names); len(near) > 0 {
		do = "write import '" + libraryPrefix + near[0] + "'"
	}
	return refuse("names no file of the built-in library", "one of "+strings.Join(names, ", "), do)
}

// libraryFiles are the names that work behind reprise/.
func libraryFiles() []string {
	var names []string
	for _, dir := range []string{".", "lib"} {
		entries, err := fs.ReadDir(profiles.Files, dir)
		if err != nil {
			panic("embedded profiles: " + err.Error())
		}
		for _, e := range entries {
			if !e.IsDir() {
				names = append(names, e.Name())
			}
		}
	}
	return names
}

// read returns the bounded contents of the regular file that open opens.
func (im *importer) read(shown string, open func() (fs.File, error)) (jsonnet.Contents, error) {
	if c, ok := im.contents[shown]; ok {
		return c, nil
	}
	f, err := open()
	if err != nil {
		return jsonnet.Contents{}, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return jsonnet.Contents{}, err
	} else if !info.Mode().IsRegular() {
		return jsonnet.Contents{}, diag.Problem{Got: "is no regular file", Want: "a Jsonnet or text file", Do: "name a file"}
	}
	data, err := io.ReadAll(io.LimitReader(f, maxImportBytes+1))
	if err != nil {
		return jsonnet.Contents{}, err
	}
	if im.size += len(data); im.size > maxImportBytes {
		return jsonnet.Contents{}, diag.Problem{
			Got:  fmt.Sprintf("brings the files of this configuration above %d bytes", maxImportBytes),
			Want: "a configuration written by a person", Do: "put large data into a package"}
	}
	im.contents[shown] = jsonnet.MakeContentsRaw(data)
	return im.contents[shown], nil
}

// Reason is the bare cause of a file error, without the operation and path
// that the problem around it tells already.
func Reason(err error) string {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err.Error()
	}
	return err.Error()
}
