"""Show answers: the token view, the summary card and the report, in HTML and on a terminal.

The HTML has no script, no link and no address. Texts are escaped; the details of a token are an
attribute, which the style sheet shows to a pointer or the keyboard. Without the style sheet, the
text of the answer is still readable.
"""
