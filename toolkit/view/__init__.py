"""Answers to look at: token views and the summary card, in HTML and on a terminal.

The HTML has no script, no link and no address: text is escaped, and what a pointer or the keyboard
brings up is an attribute that the style sheet shows. Where style sheets are taken away, the text
of the answer is left.
"""
