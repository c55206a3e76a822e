"""Show answers: the token view, the summary card, the report and a page to browse.

The HTML has no link and no address. Texts are escaped; the details of a token are an attribute,
which the style sheet shows to a pointer or the keyboard. Without the style sheet, the text of the
answer is still readable. Only the page of `toolkit.browse` has a script; its content security
policy allows no other, and texts are inserted as text.
"""
