package segment

import (
	"embed"
	"html/template"
	"io"
	"sync"
)

//go:embed *.html
var pageSources embed.FS

// pages is every page and the parts that they share (see style.html), each under its file's name. They are read when the
// first page is written: most commands write none.
var pages = sync.OnceValue(func() *template.Template {
	return template.Must(template.ParseFS(pageSources, "*.html"))
})

// writePage writes the page of a file with what its template shows. The error is the Writer's.
func writePage(w io.Writer, file string, view any) error {
	return pages().ExecuteTemplate(w, file, view)
}
